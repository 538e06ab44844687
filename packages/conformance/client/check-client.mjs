import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { report } from "../report.mjs";
import { clientCases } from "./cases.mjs";
import { PlayedRelay } from "./played-relay.mjs";
import { Story } from "./story.mjs";

export { clientCases };

/**
 * Plays a relay for a client, which the command starts for each case; without one it waits for clients that somebody
 * else starts. Returns the exit code.
 */
export async function checkClient(cases, { port, command, patienceMs }) {
  const titles = Object.fromEntries(cases.map(({ space, title }) => [space, title]));
  const relay = await PlayedRelay.start(port, titles);
  if (command.length === 0) {
    console.log(`a relay is played at ${relay.url}: follow each space that GET / names, and POST each state`);
  }
  try {
    return await report(cases, command.length > 0 ? 4 : cases.length, async ({ space, run }) => {
      const stage = relay.stage(space);
      const client = command.length > 0 ? start(command, relay.url, space, stage) : undefined;
      try {
        const story = new Story(stage, patienceMs, client ? patienceMs : Number.POSITIVE_INFINITY);
        await Promise.race([run(story), ...(client ? [client.failed] : [])]);
        story.finish();
      } finally {
        client?.child.kill("SIGKILL");
      }
    });
  } finally {
    relay.close();
  }
}

/** A client of its own for a case. Its output is its states; should it end, so does the case. */
function start([program, ...words], url, space, stage) {
  const fill = (word) => word.replaceAll("{url}", url).replaceAll("{space}", space);
  const child = spawn(program, words.map(fill), { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (text) => {
    said = `${said}${text}`.slice(-2_000);
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    try {
      stage.reported(JSON.parse(line));
    } catch {
      said += `no state: ${line}\n`;
    }
  });
  const failed = new Promise((_, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) =>
      reject(new Error(`the client ended with ${signal ?? code}: ${said}`)),
    );
  });
  failed.catch(() => {}); // it is killed at the end of its case
  return { child, failed };
}
