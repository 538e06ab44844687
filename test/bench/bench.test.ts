import { type ChildProcess, execFile, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";

const BENCH = fileURLToPath(new URL("./", import.meta.url));
const HEAD = { "Content-Type": "text/event-stream" };
const started: (ChildProcess | Server)[] = [];

afterEach(() => {
  for (const each of started.splice(0)) {
    if ("kill" in each) each.kill();
    else {
      each.closeAllConnections();
      each.close();
    }
  }
});

/** A module of load/, as the bench calls it. */
function callable(name: string) {
  const child = fork(join(BENCH, "load", name));
  started.push(child);
  child.setMaxListeners(0); // one for each call
  let calls = 0;
  return async (what: string, argument?: unknown) => {
    const id = ++calls;
    const answered = new Promise<{ result: unknown; error?: string }>((resolve) => {
      child.on("message", (answer: { id: number; result: unknown }) => answer.id === id && resolve(answer));
    });
    child.send({ id, name: what, argument });
    const { result, error } = await answered;
    if (error) throw new Error(error);
    return result as Record<string, number>;
  };
}

async function serve(onRequest: Parameters<typeof createServer>[1]) {
  const server = createServer(onRequest).listen(0, "127.0.0.1");
  started.push(server);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const markOf = (number: number) => `~${"0".repeat(16)}${String(number).padStart(8, "0")}`;
const frame = (number: number) => {
  const data = { id: `m${number}`, content: [`text ${markOf(number)}`] };
  return `id: e.${number}\ndata: ${JSON.stringify({ type: "intention-created", data })}\n\n`;
};

test("the swarm counts a message once, wherever its mark is cut into packets", async () => {
  const text = frame(0) + frame(1);
  const port = await serve(async (request, response) => {
    response.socket?.setNoDelay(true);
    response.writeHead(200, HEAD).write(": open\n\n");
    const cut = Number(new URL(request.url ?? "", "http://x").searchParams.get("cut"));
    response.write(text.slice(0, cut));
    // Another packet: the first one has been read when its reader says something.
    setImmediate(() => setImmediate(() => response.write(text.slice(cut))));
  });
  const call = callable("swarm.mjs");
  await call("reset");
  const cuts = Array.from({ length: text.length }, (_, n) => n);
  for (const cut of cuts) await call("open", { port, path: `/?cut=${cut}`, count: 1 });
  await call("until", { count: 2 * cuts.length, ms: 10_000 });
  expect(await call("report")).toMatchObject({ deliveries: 2 * cuts.length });
});

test("a follower counts what is lost, what comes twice, and what a cut stream has not given it a cursor for", async () => {
  const streams = [
    frame(0) + frame(1) + frame(1) + frame(4).replace(/^id.*\n/, ""), // 1 twice; 4 without a cursor, then the end
    frame(2) + frame(5), // 3 and 4 are lost
  ];
  const cursors: unknown[] = [];
  const port = await serve((request, response) => {
    cursors.push(request.headers["last-event-id"]);
    response.writeHead(200, HEAD);
    if (cursors.length === 1) response.end(streams[0]);
    else response.write(streams[1]);
  });
  const call = callable("followers.mjs");
  await call("open", { urls: [`http://127.0.0.1:${port}/`], count: 1 });
  await call("until", { number: 6, ms: 10_000 });
  expect(await call("report", { number: 7 })).toMatchObject({ lost: 3, doubled: 1, reconnects: 1 });
  expect(cursors).toEqual([undefined, "e.1"]);
});

test("a subject that fails becomes a section with the reason, and what it used is dropped", async () => {
  const path = join(BENCH, "support/subject.mjs");
  const { measure } = (await import(path)) as {
    measure(name: string, options: object): Promise<{ failure?: boolean; sections: object[] }>;
  };
  let drops = 0;
  const server = { createDatabase: async () => ({ drop: async () => drops++ }) };
  const { failure, sections } = await measure("no-such-subject", { server, minutes: 1, runs: 1 });
  expect(failure).toBe(true);
  expect(sections).toEqual([expect.objectContaining({ title: "no-such-subject: failed", head: ["reason"] })]);
  expect(drops).toBe(1);
});

test("npm run bench --quick measures real servers, and writes tables, a report with plots, and the plots of docs/figures.md", async () => {
  const directory = await mkdtemp(join(tmpdir(), "spacefeed-report-"));
  const report = join(directory, "report.html");
  const options = ["--quick", "--report", report, "--plots", directory, "fanout", "slow"];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [join(BENCH, "run.mjs"), ...options]);
    expect(stdout).toMatch(/^\| Spacefeed \| \d/m);
    expect(stdout).toMatch(/^\| stops reading .*\| met \|$/m);
    const page = await readFile(report, "utf8");
    expect(page.match(/<svg /g)?.length).toBeGreaterThanOrEqual(4);
    expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
    expect(await readFile(join(directory, "bench-fanout.svg"), "utf8")).toContain("Spacefeed");
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}, 180_000);
