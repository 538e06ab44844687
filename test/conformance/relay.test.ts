import { readFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { useCommand } from "../support/process/command.js";
import { useRelay } from "../support/relay/relay.js";
import { BrokenRelay, type Event, type Fault } from "./broken-relay.js";

const db = useDatabase();
const relay = useRelay(db, { heartbeatMs: 100 });
const s = useSession(db);
const conformance = useCommand([process.execPath, "packages/conformance/bin.mjs"]);
const PROTOCOL = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8");

/** Nothing here is about how long something takes; what never comes is not waited for so long. */
const PATIENTLY = ["--patience", "30"];
const BRIEFLY = ["--patience", "3"];
const LONG = { timeout: 180_000 };

const LINE = /^(pass|FAIL|not run) +(\S+) +(P\d+)? +(.+)$/gm;
const linesOf = (stdout: string) =>
  [...stdout.matchAll(LINE)].map(([, outcome, rule = "", promise = "", text = ""]) => ({
    outcome,
    rule,
    promise,
    text,
  }));

test(
  "our relay passes every case, and each case names a rule of the protocol and a promise of it",
  LONG,
  async () => {
    const { code, stdout } = await conformance([relay.current.url, "--database", db.url, ...PATIENTLY]).end;
    const lines = linesOf(stdout);
    expect(lines.filter(({ outcome }) => outcome !== "pass")).toEqual([]);
    expect([code, stdout.trim().split("\n").at(-1)]).toEqual([
      0,
      `${lines.length} passed, 0 failed, 0 not run`,
    ]);
    expect(new Set(lines.map(({ promise }) => promise).filter(Boolean))).toEqual(
      new Set(Array.from({ length: 11 }, (_, n) => `P${n + 1}`)),
    );
    for (const { rule } of lines) expect(PROTOCOL).toContain(`- **${rule}** `);
  },
);

test("without a database the cases that need one are told as not run, and the table of its own is gone", async () => {
  const { code, stdout } = await conformance([relay.current.url, "--only", "5", ...PATIENTLY]).end;
  expect(linesOf(stdout).filter(({ outcome }) => outcome === "not run")).toMatchObject([
    { rule: "5.4", promise: "P5", text: expect.stringMatching(/: needs --database$/) },
    { rule: "5.5", promise: "P4", text: expect.stringMatching(/: needs --database$/) },
  ]);
  expect(code).toBe(0);
  expect(await s.query("select from pg_class where relname like 'conformance%'")).toEqual([]);
});

test("what is no relay is failed, and what is no URL, no rule, or no option is told", async () => {
  const nobody = await conformance(["http://127.0.0.1:1", "--only", "5.3"]).end;
  expect([nobody.code, nobody.stdout]).toEqual([1, expect.stringMatching(/^FAIL +5\.3 +P1/)]);
  for (const [argv, words] of [
    [["localhost"], /"localhost" is no URL/],
    [[relay.current.url, "--only", "77"], /there is no case of rule 77/],
    [[relay.current.url, "--nothing"], /--nothing/],
  ] as const) {
    const { code, stderr } = await conformance([...argv]).end;
    expect([code, stderr]).toEqual([2, expect.stringMatching(words)]);
  }
});

/** Runs the cases of a rule against a relay with a fault: the lines of those that failed. */
async function failed(rule: string, fault: Fault, patience = BRIEFLY): Promise<string[]> {
  const broken = await BrokenRelay.before(relay.current.url, fault);
  onTestFinished(() => broken.close());
  const argv = [broken.url, "--only", rule, "--database", db.url, ...patience];
  const { code, stdout, stderr } = await conformance(argv).end;
  expect([code, stderr]).toEqual([expect.any(Number), ""]);
  const fails = linesOf(stdout).filter(({ outcome }) => outcome === "FAIL");
  expect(code).toBe(fails.length > 0 ? 1 : 0);
  return fails.map(({ rule: of, promise, text }) => `${of} ${promise} ${text}`);
}

const isSync = ([first]: Event[]) => first?.type === "space-sync";
const onAll = (change: (event: Event) => Event) => ({ group: (group: Event[]) => [group.map(change)] });
/** Every n-th group that is no space-sync. */
const now = (n: number, change: (group: Event[]) => Event[][]): Fault => {
  let count = 0;
  return { group: (group) => (isSync(group) || ++count % n ? [group] : change(group)) };
};
const cursorAt = (cursor: string, version: number) => cursor.replace(/\d+$/, String(version));
const inJson = (change: (body: Event) => Event) => async (answer: Response) => {
  if (!answer.headers.get("content-type")?.includes("json")) return answer;
  const { status } = answer;
  const headers = new Headers(answer.headers);
  headers.delete("content-length");
  return new Response(JSON.stringify(change((await answer.json()) as Event)), { status, headers });
};

test.for<[what: string, rule: string, fails: RegExp, fault: Fault]>([
  ["drops a group", "5.3", /P1 each change .*did not come|rule 5\.3 is broken/, now(3, () => [])],
  ["drops an event of a group", "5.4", /P5 all that a transaction/, onDrop()],
  [
    "repeats a group with another cursor",
    "5.3",
    /P1 each change raises/,
    now(2, (group) => {
      const { version, cursor } = group.at(-1) as Event;
      const again = { version: version + 1, prev: version, cursor: cursorAt(cursor, version + 1) };
      return [group, [{ ...group.at(-1), ...again }]];
    }),
  ],
  ["repeats a group as it is", "5.3", /P1 .*rule 5\.3 is broken/, now(2, (group) => [group, group])],
  [
    "tears a group in two",
    "5.4",
    /P5 all that a transaction/,
    now(1, (group) => {
      const [first, ...rest] = group;
      const { version, cursor, prev } = group.at(-1) as Event;
      return rest.length > 0 ? [[{ ...first, version, cursor, prev }], rest] : [group];
    }),
  ],
  [
    "says a cursor with each event",
    "5.2",
    /P5 only the last event.*rule 5\.\d is broken/,
    { group: (group) => [group.map((event) => ({ ...event, cursor: group.at(-1)?.cursor }))] },
  ],
  ["says no SSE id", "5.2", /P5 .*rule 5\.2 is broken/, { id: () => null }],
  ["says an SSE id with each event", "5.2", /P5 .*rule 5\.2 is broken/, { id: () => "0123456789abcdef.1" }],
  [
    "moves the cursor without the change",
    "3.2",
    /P2 .*lacks the message/,
    onAll((event) => (event.type === "intention-created" ? { ...event, type: "unheard" } : event)),
  ],
  [
    "tells of no deletion",
    "3.8",
    /P6 a create/,
    onAll((event) => (event.type.endsWith("-deleted") ? { ...event, type: "unheard" } : event)),
  ],
  [
    "leaves a message out of a space-sync",
    "5.7",
    /P7 a space-sync holds all/,
    onAll((event) => (event.intentions ? { ...event, intentions: event.intentions.slice(0, -1) } : event)),
  ],
  [
    "shows a column that nobody named",
    "1.6",
    /P9 a row has the fields/,
    onAll((event) =>
      event.data
        ? { ...event, data: { ...event.data, secret: 1 } }
        : { ...event, beings: secrets(event.beings) },
    ),
  ],
  ["loses what a slow reader does not take", "4.8", /P10 a reader/, onBlocked()],
  [
    "sends no space-sync to open streams",
    "4.9",
    /P11 another epoch/,
    { group: (group, flow) => (isSync(group) && flow.groups > 0 ? [] : [group]) },
  ],
  [
    "takes a foreign cursor for its own",
    "4.6",
    /P11 a cursor of another epoch/,
    {
      request: (request) =>
        new Request(request.url.replace(/since=0123456789abcdef\.\d+/, "since=1"), request),
    },
  ],
  [
    "ignores Last-Event-ID",
    "4.5",
    /P3 Last-Event-ID beats/,
    { request: (request) => withoutHeader(request, "Last-Event-ID") },
  ],
  [
    "forgets where a reader was",
    "5.6",
    /P3 a row that changed/,
    { request: (request) => new Request(request.url.replace(/&since=[^&]*/, ""), request) },
  ],
  ["sends one heartbeat only", "7.1", /P3 a heartbeat comes/, onlyOnce()],
  [
    "says a wrong version in heartbeats",
    "7.2",
    /P3 a heartbeat says/,
    { heartbeat: (beat) => ({ ...beat, version: 77 }) },
  ],
  ["stores what it refuses", "3.4", /P4 what is refused/, { answer: storing }],
  [
    "sends what was rolled back",
    "5.5",
    /P4 what was rolled back/,
    now(1, (group) => [
      [
        { ...group[0], type: "intention-created", prev: undefined, cursor: undefined, data: { id: "never" } },
        ...group,
      ],
    ]),
  ],
  [
    "finds something new in each poll",
    "9.2",
    /a poll that finds nothing new/,
    { request: (request) => withoutHeader(request, "If-None-Match") },
  ],
  [
    "forgets a row of the state",
    "9.1",
    /P7 the state and the stream/,
    { answer: inJson((body) => ({ ...body, intentions: body.intentions?.slice(1) })) },
  ],
  [
    "says true of a refusal",
    "2.1",
    /a refusal has a status/,
    { answer: inJson((body) => ({ ...body, success: true })) },
  ],
  [
    "counts appends in bytes",
    "10.2",
    /a text that grows/,
    onAll((event) => (event.at > 5 ? { ...event, at: event.at + 2 } : event)),
  ],
  [
    "appends to who has not asked",
    "10.1",
    /gets rows whole/,
    { request: (request) => new Request(`${request.url}&appends=1`, request) },
  ],
  [
    "does not say which space it is",
    "8.1",
    /P3 one stream brings/,
    onAll(({ spaceId, ...event }) => (event.type === "space-sync" ? { spaceId, ...event } : event)),
  ],
  ["has SSE ids for many spaces", "8.2", /and no event has an SSE id/, { id: (event) => event.cursor }],
])("a relay that %s fails the case", async ([, rule, fails, fault]) => {
  const lines = await failed(rule, fault);
  expect(lines).toEqual(expect.arrayContaining([expect.stringMatching(fails)]));
});

test("a relay behind the proxy that breaks it here, and does not, passes", async () => {
  expect(await failed("5", {}, PATIENTLY)).toEqual([]);
  expect(await failed("8", {}, PATIENTLY)).toEqual([]);
});

test("a database in which writers wait for one another fails P8", async () => {
  await s.run(
    `create function one_at_a_time() returns trigger language plpgsql as $$
     begin perform pg_advisory_xact_lock(42); return null; end $$`,
    "create trigger one_at_a_time after insert on intentions for each statement execute function one_at_a_time()",
  );
  try {
    expect(await failed("3.8", {})).toEqual([expect.stringMatching(/^3\.8 P8 an open transaction/)]);
  } finally {
    await s.run("drop trigger one_at_a_time on intentions", "drop function one_at_a_time()");
  }
});

/** The first of each group of several. */
function onDrop(): Fault {
  return { group: (group) => [group.length > 1 ? group.slice(1) : group] };
}

function onBlocked(): Fault {
  return { group: (group, flow) => (flow.isBlocked ? [] : [group]) };
}

function onlyOnce(): Fault {
  const seen = new Set<number>();
  return { heartbeat: (beat) => (seen.size < seen.add(seen.size).size && seen.size > 1 ? null : beat) };
}

function secrets(beings: Event[] | undefined) {
  return beings?.map((being) => ({ ...being, secret: 1 }));
}

function withoutHeader(request: Request, name: string): Request {
  const headers = new Headers(request.headers);
  headers.delete(name);
  return new Request(request, { headers });
}

/** A refused create is carried out all the same, under another ID. */
async function storing(answer: Response, request: Request): Promise<Response> {
  if (answer.status !== 409) return answer;
  const body = { ...((await request.json()) as Event), intentionId: "stored all the same" };
  await fetch(request.url, { method: "POST", headers: request.headers, body: JSON.stringify(body) });
  return answer;
}
