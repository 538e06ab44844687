import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, type TestContext, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useCommand } from "../support/process/command.js";
import { eventually, stateAt } from "../support/relay/follow.js";
import { post, useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

const PYTHON = fileURLToPath(new URL("../../examples/python/spacefeed.py", import.meta.url));
const hasPython =
  spawnSync("python3", ["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]).status === 0;
const db = useDatabase();
const relay = useRelay(db);
const conformance = useCommand([process.execPath, "packages/conformance/bin.mjs"]);
const python = useCommand(["python3"]);

const check = (command: string[], ...options: string[]) =>
  conformance(["client", ...options, "--", ...command, "{url}", "{space}"]).end;
/** Nothing here is about how long something takes. */
const PATIENTLY = ["--patience", "30"];
const LONG = { timeout: 180_000 };
const outcomes = (stdout: string, of: string) =>
  stdout
    .split("\n")
    .filter((line) => line.startsWith(of))
    .map((line) => line.slice(of.length).trim());

test("our client passes every case; one space alone it follows on a stream of its own", LONG, async () => {
  const { code, stdout } = await check([process.execPath, "test/conformance/our-client.mjs"], ...PATIENTLY);
  expect([code, outcomes(stdout, "FAIL")]).toEqual([0, []]);
  expect(outcomes(stdout, "not run")).toEqual([
    expect.stringMatching(/^8\.3 .*opens streams of one space only$/),
  ]);
});

test("a client that ends, or says no JSON, is failed with what it said", async () => {
  const { code, stdout } = await conformance([
    "client",
    "--only",
    "6.4",
    "--",
    "sh",
    "-c",
    "echo what; exit 3",
  ]).end;
  expect([code, outcomes(stdout, "FAIL")[0]]).toEqual([
    1,
    expect.stringMatching(/ended with 3: no state: what/),
  ]);
});

test("a client that nobody starts is waited for, and POSTs its state", async () => {
  const running = conformance(["client", "--listen", "0", "--only", "6.5", ...PATIENTLY]);
  const [, url] = await running.until("stdout", /played at (\S+):/);
  const spaces = Object.keys((await (await fetch(url as string)).json()) as object);
  expect(spaces).toEqual(["foreign-epoch", "space-sync"]);
  // The client tells what our-client.mjs prints.
  const own = useStarted(spaces, url as string);
  expect(await running.end).toMatchObject({ code: 0, stdout: expect.stringMatching(/2 passed, 0 failed/) });
  await own;
});

test.skipIf(!hasPython)(
  "the Python client passes every case, but for many spaces on one stream",
  async () => {
    const { code, stdout } = await check(["python3", PYTHON], ...PATIENTLY);
    expect([code, outcomes(stdout, "FAIL")]).toEqual([0, []]);
    expect(outcomes(stdout, "not run")).toEqual([
      expect.stringMatching(/^8\.3 .*opens streams of one space only$/),
    ]);
    expect((await readFile(PYTHON, "utf8")).trimEnd().split("\n").length).toBeLessThanOrEqual(150);
  },
);

test.skipIf(!hasPython)("the Python client shows what a real relay has", async () => {
  const spaceId = await newSpace(relay.current);
  const client = python([PYTHON, relay.current.url, spaceId]);
  const id = "grows";
  await post(relay.current, "intentions", {
    action: "create",
    spaceId,
    intentionId: id,
    data: { content: [""] },
  });
  for (const text of ["Grüße", "Grüße, 🌍", "Grüße, 🌍!"]) {
    await post(relay.current, "intentions", { action: "update", intentionId: id, data: { content: [text] } });
  }
  await eventually(async () => {
    const { version, beings, intentions } = await stateAt(relay.current.url, spaceId);
    const last = client.stdout.trim().split("\n").at(-1) ?? "";
    expect(JSON.parse(last)).toMatchObject({ version, beings, intentions });
  });
  client.child.kill("SIGKILL");
  await client.end;
});

/** The Python client with something else in it, in a file of its own. */
async function changed(
  { onTestFinished }: Pick<TestContext, "onTestFinished">,
  changes: Record<string, string>,
) {
  const directory = await mkdtemp(join(tmpdir(), "spacefeed-client-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  let text = await readFile(PYTHON, "utf8");
  for (const [code, other] of Object.entries(changes)) {
    expect(text).toContain(code);
    text = text.replaceAll(code, () => other);
  }
  await writeFile(join(directory, "client.py"), text);
  return join(directory, "client.py");
}

/** These end, where the others carry on with something wrong. */
const ENDING = ["except (OSError,", String.raw`\r\n|\n|\r(?=[^\n])`];

test.skipIf(!hasPython).concurrent.for<[what: string, rule: string, code: string, broken: string]>([
  ["gives up when it is refused", "2.2", "except (OSError,", "except (ValueError,"],
  [
    "shows what is not whole",
    "6.1",
    "group.append(json.loads(data))",
    "group.append(json.loads(data)); space.version and (space.set(space.lists, group[-1], None), show(space.state()))",
  ],
  ["keeps the half of a group", "6.2", "group = []", "group = globals().setdefault('kept', [])"],
  ["comes back without its cursor", "6.2", "if space.cursor else", "if False else"],
  [
    "applies what it has already",
    "6.3",
    "return False  # 6.3",
    "self.version, self.cursor = last['version'] - 1, last['cursor']",
  ],
  ["does not see a gap", "6.4", 'last["prev"] != self.version', "False"],
  ["does not see another epoch", "6.4", "is_ours = ", "is_ours = self.cursor is not None or "],
  ["keeps a later version of another epoch", "6.5", "if is_ours and", "if self.version and"],
  [
    "keeps rows at a space-sync",
    "6.5",
    "lists = {kind: {row",
    "lists = self.lists | {kind: self.lists.get(kind, {}) | {row",
  ],
  ["leaves out what is said to be new", "6.6", "(created|", "("],
  ["takes in messages that are older", "6.7", "oldest if self.has_more else None", "None"],
  ["stops at a type that it does not know", "6.8", "return  # 6.8", "raise Gap"],
  ["takes bytes for characters", "6.9", "line.decode()", 'line.decode("latin-1")'],
  ["knows one end of a line", "6.9", String.raw`\r\n|\n|\r(?=[^\n])`, String.raw`\n`],
  ["does not look at heartbeats", "7.2", 'beat["version"] > space.version', "False"],
  ["waits for ever", "7.3", "socket.settimeout(max(", "socket.settimeout(max(1000, "],
  ["forgets the rows of tables", "4.3", '**last.get("entities", {})', ""],
  ["counts in bytes", "10.3", '"utf-16-le"', '"utf-8"'],
  ["appends what it has once more", "10.3", "if len(text) == at", "if len(text) >= at"],
])("a client that %s fails", LONG, async ([, rule, code, broken], context) => {
  const client = await changed(context, { [code]: broken });
  const { code: exit, stdout } = await check(["python3", client], "--only", rule, "--patience", "3");
  const failed = [expect.stringMatching(`^${rule}`)];
  expect([exit, outcomes(stdout, "FAIL")]).toEqual([1, expect.arrayContaining(failed)]);
  if (!ENDING.includes(code)) expect(stdout).not.toContain("the client ended");
});

const MANY = {
  'connection.request("GET", path, headers=headers)':
    'connection.request("POST", "/api/stream", json.dumps({"spaces": {space_id: space.cursor}}), headers)',
};
const APART = {
  'elif event == "message":': 'elif event == "message" and json.loads(data).get("spaceId") == space_id:',
};

test.skipIf(!hasPython)(
  "a client may follow its space on a stream of many, and has to keep them apart",
  LONG,
  async (context) => {
    const apart = await check(["python3", await changed(context, { ...MANY, ...APART })], ...PATIENTLY);
    expect([apart.code, outcomes(apart.stdout, "FAIL")]).toEqual([0, []]);
    expect(outcomes(apart.stdout, "not run")).toEqual([
      expect.stringMatching(/^10\.3 .*does not ask for appends$/),
    ]);
    const mixed = await check(["python3", await changed(context, MANY)], "--only", "8");
    expect([mixed.code, outcomes(mixed.stdout, "FAIL")]).toEqual([1, [expect.stringMatching(/^8\.3 +P5/)]]);
  },
);

/** Our client in each space, whose states are POSTed. With other headers each has a stream of its own. */
async function useStarted(spaces: string[], url: string): Promise<void> {
  const { createSpaceClient } = await import("../../src/client/index.js");
  for (const spaceId of spaces) {
    const client = createSpaceClient({ url, spaceId, tabs: false, headers: { "X-Case": spaceId } });
    onTestFinished(() => client.close());
    client.subscribe(() => {
      const { data, beings, intentions } = client.getSnapshot();
      const body = JSON.stringify({ version: data?.version, beings, intentions });
      void fetch(`${url}/report/${spaceId}`, { method: "POST", body }).catch(() => {});
    });
  }
}
