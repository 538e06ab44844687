import { readdir, readFile } from "node:fs/promises";
import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { post, startTestRelay } from "../support/relay/relay.js";

const SQL = new URL("../../sql/", import.meta.url);
const SOURCES = ["../../src/server/postgres/functions.ts"];

/** Every word that stands in what Postgres is given to run, also in its texts; not in comments. */
async function identifiers(): Promise<string[]> {
  const files = (await readdir(SQL))
    .filter((name) => name.endsWith(".sql"))
    .map((name) => new URL(name, SQL));
  const sources = SOURCES.map((name) => new URL(name, import.meta.url));
  const chapters = await Promise.all(files.map((file) => readFile(file, "utf8")));
  const statements = (await Promise.all(sources.map((file) => readFile(file, "utf8"))))
    .flatMap((text) => text.match(/(["`])(?:\\.|(?!\1)[^\\])*\1/g) ?? [])
    .filter((text) => /\b(select|insert|update|delete)\b/.test(text));
  const texts = [...chapters.map((text) => text.replace(/--.*/g, "")), ...statements];
  const words = texts.flatMap((text) => text.match(/[a-z_][a-z0-9_]*/gi) ?? []);
  return [...new Set(words.map((word) => word.toLowerCase()))].sort();
}

// What is no column's name in any table.
const OF_SYSTEM = ["tableoid", "cmin", "cmax", "xmin", "xmax", "ctid"];

// Everything that is done to the tables, and everything that is asked.
const STATEMENTS = [
  "insert into beings (id, type, name) values ('hall', 'space', 'The hall')",
  "insert into beings (id, location_id) values ('a', 'hall'), ('b', 'hall'), ('c', 'hall'), ('lonely', null)",
  "insert into intentions (id, location_id, content) select 'm' || k, 'hall', '[1]' from generate_series(1, 9) k",
  "select version, beings, intentions, last_message_id, has_more from sync.snapshot('hall', 5)",
  "update intentions set content = '[2]' where id = 'm1'",
  "update intentions set content = content where id = 'm1'",
  "update intentions set content = '[3]', state = 'active' where id in ('m2', 'm3')",
  "update beings set name = 'A' where id = 'a'",
  "update beings set name = id where id in ('b', 'c', 'lonely')",
  "update beings set id = 'd' where id = 'c'",
  "update intentions set location_id = 'yard' where id = 'm4'",
  "update intentions set location_id = 'yard' where id in ('m5', 'm6')",
  "insert into intentions (id, location_id) values ('m7', 'hall') on conflict (id) do update set state = 'failed'",
  "insert into intentions (id, location_id) values ('m7', 'hall') on conflict do nothing",
  "delete from intentions where id = 'm8'",
  "delete from intentions where id in ('m7', 'm9')",
  "begin; update beings set name = 'x'; delete from beings where id = 'b'; insert into intentions (id, location_id) values ('late', 'hall'); set constraints all immediate; update intentions set name = 'late' where id = 'late'; commit",
  "begin; insert into intentions (location_id) values ('hall'); rollback",
  "select space_id, version, events from sync.changes_since('{hall,yard,nowhere}', '{1,0,0}', 100)",
  "select space_id, version, events from sync.changes_since('{hall}', '{3}', 2)",
  "select list, last_label, has_more from sync._list('intention', 'hall', 2, 'msg_3')",
  "select (sync._list('being', 'hall', 2)).list",
  "select (sync._list('being', 'hall')).list",
  "select data, version from sync.read(null, 'being', 'a', null)",
  "select data, version from sync.read(null, 'intention', 'm1', 'hall')",
  "select data, version, has_more from sync.read(null, 'intention', null, 'hall', 2, 'msg_3')",
  `select * from sync.write('{"being":"a"}', 'create', 'intention', 'w', null, '{"locationId":"hall","content":[1]}')`,
  `select * from sync.write('{"being":"a"}', 'create', 'intention', 'w', null, '{"locationId":"hall","content":[1]}')`,
  `select * from sync.write('{"being":"a"}', 'update', 'intention', 'w', 'hall', '{"state":"failed"}')`,
  "select * from sync.write(null, 'delete', 'intention', 'w', null, '{}')",
  "select * from sync.state('hall', 5)",
  "begin isolation level repeatable read; insert into intentions (id, location_id) values ('left', 'hall'); update beings set name = 'left' where id = 'a'; commit",
  "select space_id, version, events from sync.changes_since('{hall}', '{1}', 100)",
  "select filed, is_more, left_behind, failed, reason from sync.record()",
  "select * from sync.reach('{hall,yard}')",
  "select sync.resolve_cursor('hall', '3')",
  "select sync.resolve_cursor('hall', sync.current_cursor('hall'))",
  "select sync.resolve_cursor('hall', 'msg_2')",
  "select sync.resolve_cursor('hall', '2020-01-01')",
  "select sync.resolve_cursor('hall', '9999-01-01T00:00:00Z')",
  "select since, refusal, reason from sync.open('{null,null}', '{hall,yard}', '{2,msg_4}')",
  "select * from sync.verify()",
  "select * from sync.verify('hall')",
  "select spaces, versions, changes, tombstones from sync.status",
  "select sync.prune('0')",
  "select code from sync.warnings()",
  "truncate intentions",
  "truncate beings",
  "insert into intentions (id, location_id) values ('again', 'hall')",
  "select version, beings, intentions, last_message_id, has_more from sync.snapshot('hall')",
  "set session_replication_role = replica; insert into intentions (id, message_id, location_id) values ('copied', 'msg_99', 'hall'); set session_replication_role = origin",
  "select * from sync.verify()",
  "select length(sync.reset())",
  "select * from sync.verify()",
  "insert into intentions (id, location_id) values ('after', 'hall')",
  "select version, beings, intentions, last_message_id, has_more from sync.snapshot('hall')",
];

/** What each statement answers, but for the times, and for how many words there are. */
async function answers(session: Session): Promise<[string, string][]> {
  const given: [string, string][] = [];
  for (const statement of STATEMENTS) {
    const { rows, error } = await session.outcome(statement);
    if (error?.code === "42883") throw error; // no function of ours
    const text = JSON.stringify(error ? `${error.code} ${error.message}` : rows);
    given.push([
      statement,
      text.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>").replace(/[0-9a-f]{16}(?=\.)/g, "<epoch>"),
    ]);
  }
  return given;
}

const plain = useDatabase();
const crowded = useDatabase();
let s: Session;

beforeAll(async () => {
  s = await Session.open(crowded);
});

/** Adds each as a column to both tables. */
async function add(names: string[]): Promise<void> {
  for (const table of ["beings", "intentions"]) {
    await s.run(
      `alter table public.${table} ${names.map((name) => `add column if not exists "${name}" integer`).join(", ")}`,
    );
  }
}

test("16: an own column of any name breaks nobody's writes or reads", async () => {
  const names = (await identifiers()).filter((name) => !OF_SYSTEM.includes(name));
  expect(names).toEqual(
    expect.arrayContaining(["n", "o", "b", "i", "since", "before", "tg_argv", "message_limit"]),
  );
  expect(names.length).toBeGreaterThan(300);
  const usual = await answers(await Session.open(plain));
  await add(names);
  expect(await answers(s)).toEqual(usual);
});

test("16: nor what the API does", async ({ onTestFinished }) => {
  const relay = await startTestRelay(crowded);
  onTestFinished(() => relay.close());
  const asked = async (path: "beings" | "intentions", body: unknown) => {
    const { status, body: answer } = await post(relay, path, body);
    return answer.error ?? status;
  };
  for (const [path, body] of [
    ["beings", { action: "create", beingId: "den", data: { type: "space" } }],
    ["beings", { action: "create", beingId: "den", data: { type: "space" } }], // a safe retry
    ["beings", { action: "update", beingId: "den", data: { name: "The den" } }],
    ["beings", { action: "get", beingId: "den" }],
    ["beings", { action: "list", spaceId: "den" }],
    ["intentions", { action: "create", intentionId: "x", spaceId: "den", data: { content: [1] } }],
    ["intentions", { action: "create", intentionId: "x", spaceId: "den", data: { content: [1] } }],
    ["intentions", { action: "update", intentionId: "x", data: { content: [2] } }],
    ["intentions", { action: "list", spaceId: "den", limit: 5 }],
    ["intentions", { action: "delete", intentionId: "x" }],
    ["beings", { action: "delete", beingId: "den" }],
  ] as const) {
    expect([body, await asked(path, body)]).toEqual([body, 200]);
  }
  const state = await fetch(`${relay.url}/api/sync?spaceId=den`);
  expect([state.status, (await state.json()).intentions]).toEqual([200, []]);
});
