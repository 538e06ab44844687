import { expect, test } from "vitest";
import { migrate } from "../../src/server/postgres/migrate.js";
import { useDatabase } from "../support/postgres/database.js";
import { useEmptyDatabases } from "../support/postgres/empty-database.js";
import { Session, useSession } from "../support/postgres/session.js";
import { eventsSince, faults, inShort, versionOf } from "../support/relay/feed.js";

const db = useDatabase();
const emptyDatabase = useEmptyDatabases(db);
const s = useSession(db);

const warnings = () => s.query("select code, message, remedy from sync.warnings()");
const database = () => new URL(db.url).pathname.slice(1);

test("a database that is well has no warning, also when there are messages", async () => {
  expect(await warnings()).toEqual([]);
  await s.run("insert into intentions (location_id) values ('well'), ('well')");
  expect(await warnings()).toEqual([]);
});

/** To a trigger of ours, whichever there is: `done` to %I of the table. */
const toTrigger = (table: string, done: string) => `do $$ begin execute (
  select format('${done}', tgname) from pg_trigger
  where tgrelid = '${table}'::regclass and tgname ~ '^spacefeed' order by tgname limit 1); end $$`;

// What was done, and what is told of it: the code, and a part of the message. Each remedy that is SQL is run.
const CASES: [string, string[], [string, RegExp][]][] = [
  [
    "a trigger that was dropped",
    [toTrigger("public.intentions", "drop trigger %I on public.intentions")],
    [["trigger_missing", /^public\.intentions lacks spacefeed_\w+: /]],
  ],
  [
    "a table that was exchanged for a copy of it",
    [
      "alter table public.beings rename to beings_old",
      "create table public.beings (like public.beings_old including all)",
      "grant select, insert, update, delete on public.beings to spacefeed_relay",
    ],
    [
      ["trigger_missing", /^public\.beings lacks spacefeed_\w+, .* \((public\.)?beings_old has them\)$/],
      ["wire_function", /^sync\.being_json\((public\.)?beings_old\)/],
    ],
  ],
  [
    "triggers that are disabled",
    ["alter table public.beings disable trigger user"],
    [["trigger_disabled", /of public\.beings are disabled/]],
  ],
  [
    "a trigger that fires for replicated rows only",
    [toTrigger("public.intentions", "alter table public.intentions enable replica trigger %I")],
    [["trigger_replica", /^spacefeed_\w+ of public\.intentions/]],
  ],
  [
    "writers whose sessions begin as replicas",
    [
      "create role spacefeed_forced_owner",
      "alter role spacefeed_forced_owner in database DATABASE set session_replication_role = replica",
    ],
    [["replica_role", /for spacefeed_forced_owner/]],
  ],
  [
    "row-level security that holds for the owner",
    [
      "create role spacefeed_forced_owner",
      "grant usage, create on schema sync to spacefeed_forced_owner",
      "alter table public.intentions owner to spacefeed_forced_owner",
      "alter function sync.warnings() owner to spacefeed_forced_owner",
      "grant execute on all functions in schema sync to spacefeed_forced_owner",
      "grant select on sync.message_number, sync.tracked to spacefeed_forced_owner",
      "grant select, insert, update, delete on public.intentions to spacefeed_relay",
      "alter table public.intentions enable row level security",
      "alter table public.intentions force row level security",
    ],
    [["row_security", /of (public\.)?intentions holds for spacefeed_forced_owner/]],
  ],
  [
    "a database that is read-only",
    ["alter database DATABASE set default_transaction_read_only = on"],
    [["read_only", /nothing can be written/]],
  ],
  [
    "rows that came with their names",
    [
      "insert into intentions (location_id) values ('named')",
      "set local session_replication_role = replica",
      `insert into public.intentions (message_id, location_id)
       select 'msg_' || q.last_value + n, 'named' from sync.message_number q, generate_series(100, 600) n`,
      "set local session_replication_role = origin",
    ],
    [["message_sequence", /inserts will fail/]],
  ],
  [
    "a table that inherits from ours",
    ["create table public.bots () inherits (public.beings)"],
    [["trigger_missing", /^(public\.)?bots lacks spacefeed_note_delete, /]],
  ],
  [
    "tables that are gone",
    ["drop table public.beings, public.intentions cascade"],
    [
      ["table_missing", /^public\.beings /],
      ["table_missing", /^public\.intentions /],
    ],
  ],
];

test.each(CASES)(
  "sync.warnings() tells of %s, and of nothing else, and what mends it",
  async (_, done, told) => {
    await s.undone(async () => {
      await s.run(...done.map((statement) => statement.replaceAll("DATABASE", database())));
      const found = await warnings();
      expect(found).toEqual(
        told.map(([code, message]) => ({
          code,
          message: expect.stringMatching(message),
          remedy: expect.stringMatching(/\S/),
        })),
      );
      const remedies = found.map(({ remedy }) => String(remedy));
      if (remedies.some((remedy) => remedy.includes("spacefeed migrate up"))) return; // not a line of SQL
      for (const remedy of remedies) await s.query(remedy);
      expect(await warnings()).toEqual([]);
    });
  },
);

test("what is written to a table that was exchanged for a copy is seen again when what is told has been run", async () => {
  const { url, client } = await emptyDatabase();
  const there = await Session.open({ url, connect: async () => client });
  await migrate(url, "up");
  await there.run(
    "insert into intentions (id, location_id) select 'm' || n, 'hall' from generate_series(1, 3) n",
    "alter table intentions rename to intentions_old",
    "create table intentions (like intentions_old including all)",
    "insert into intentions select * from intentions_old",
    "insert into intentions (id, message_id, location_id) values ('unseen', 'msg_4', 'hall')",
  );
  const remedies = (await there.query("select remedy from sync.warnings()")).map(({ remedy }) =>
    String(remedy),
  );
  expect(remedies.some((remedy) => remedy.startsWith("spacefeed migrate up"))).toBe(true);
  await migrate(url, "up");
  for (const remedy of remedies.filter((text) => !text.startsWith("spacefeed"))) await there.query(remedy);
  await there.run("select sync.reset()");
  expect(await there.query("select * from sync.warnings()")).toEqual([]);
  expect(await faults(there)).toEqual([]);
  const version = await versionOf(there, "hall");
  await there.run("insert into intentions (id, location_id) values ('seen', 'hall')");
  expect(inShort(await eventsSince(there, "hall", version))).toEqual(["intention-created seen"]);
});

test("sync.warnings() reads no table whole", async () => {
  await s.undone(async () => {
    await s.run(
      "set local session_replication_role = replica",
      `insert into public.intentions (message_id, location_id)
       select 'msg_' || n, 'many' from generate_series(1000000, 1050000) n`,
      "analyze public.intentions",
    );
    const read = async () =>
      Number(await s.value("select pg_stat_get_xact_tuples_returned('public.intentions'::regclass)"));
    const before = await read();
    await s.query("select * from sync.warnings()");
    expect((await read()) - before).toBeLessThan(1000);
  });
});

test("the relays' role may ask", async () => {
  await s.undone(async () => {
    await s.run("set local role spacefeed_relay");
    expect(await warnings()).toEqual([]);
  });
});
