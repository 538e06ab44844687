import { spawn } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { fileURLToPath } from "node:url";
import { own } from "./process.mjs";

const SPACEFEED = fileURLToPath(new URL("../../../bin/spacefeed.mjs", import.meta.url));

/** A relay in a process of its own, as in life: it does not share our event loop. */
export async function startRelay(databaseUrl, settings = {}) {
  const env = { DATABASE_URL: databaseUrl, PORT: "0", HOST: "127.0.0.1", LOG_LEVEL: "warn", ...settings };
  const child = spawn(process.execPath, [SPACEFEED, "serve"], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { pid, exited, stop } = own(child);
  const url = await Promise.race([addressOf(child), exited.then(() => undefined)]);
  if (!url) throw new Error("the relay ended before it said where it is");
  return { url, port: Number(new URL(url).port), pid, exited, signal: (name) => child.kill(name), stop };
}

/** The address that it prints. Reading goes on after that: a closed pipe would end the relay. */
function addressOf(child) {
  let text = "";
  child.stdout.setEncoding("utf8");
  return new Promise((resolve) => {
    child.stdout.on("data", (chunk) => {
      text += chunk;
      const address = text.match(/Spacefeed is at (http\S+)/);
      if (address) resolve(address[1]);
    });
  });
}

/** Reads a space's event stream; onEvent gets each event, and when its bytes came. */
export async function openStream(relayUrl, spaceId, onEvent) {
  const request = get(`${relayUrl}/api/stream?spaceId=${encodeURIComponent(spaceId)}`);
  const [response] = await once(request, "response");
  request.on("error", () => {}); // a stream that breaks is seen by what does not arrive
  if (response.statusCode !== 200) throw new Error(`the stream answers ${response.statusCode}`);
  response.setEncoding("utf8");
  let rest = "";
  response.on("data", (chunk) => {
    const at = performance.now();
    const lines = (rest + chunk).split("\n");
    rest = lines.pop();
    // Heartbeats have data too, but not of an event.
    for (const line of lines) if (line.startsWith('data: {"type"')) onEvent(JSON.parse(line.slice(6)), at);
  });
  return { close: () => request.destroy() };
}
