import { beforeAll, describe, expect, test } from "vitest";
import { migrate } from "../../../src/server/postgres/migrate.js";
import { type TestDatabase, useDatabase } from "../../support/postgres/database.js";
import { useEmptyDatabases } from "../../support/postgres/empty-database.js";
import { Session, useSession } from "../../support/postgres/session.js";
import { useCommand } from "../../support/process/command.js";
import { makeTracker } from "./tracker.js";

const db = useDatabase();
const emptyDatabase = useEmptyDatabases(db);
const s = useSession(db);
const spacefeed = useCommand();

interface Check {
  area: string;
  state: string;
  found: string;
  remedy: string | null;
}

/** What `spacefeed doctor` finds to be wrong, and with which exit code. How busy this test's server is counts for nothing. */
async function faults(url = db.url): Promise<{ code: number | null; checks: Check[] }> {
  const { code, stdout, stderr } = await spacefeed(["doctor", "--json", "--verify"], { DATABASE_URL: url })
    .end;
  expect(stderr).toBe("");
  const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: Check[] };
  expect(ok).toBe(code === 0);
  return { code, checks: checks.filter(({ area, state }) => state !== "ok" && !OF_MACHINE.includes(area)) };
}
const OF_MACHINE = ["connections", "durability", "wal"];

/** Runs a remedy as a DBA would: what is no SQL is a command of ours. */
async function follow(remedy: string, session: Session, url: string): Promise<void> {
  if (remedy.startsWith("spacefeed migrate up")) await migrate(url, "up");
  else
    for (const statement of remedy.replace(/--.*/, "").split(/;\s*/))
      if (statement) await session.query(statement);
  const [, then] = /then.*?: (select .*;)$/.exec(remedy) ?? [];
  if (then) await session.query(then);
}

beforeAll(async () => {
  await makeTracker(s);
  await s.run(
    "insert into public.tasks (project_id, title) select 'p' || n % 3, 'task ' || n from generate_series(1, 30) n",
    "select sync.track('public.tasks', space => 'project_id', columns => '{id,title,project_id}', name => 'task', writable => true)",
    "call sync.fill('task')",
    "insert into public.intentions (location_id) values ('hall')",
  );
});

test("on a healthy install all is ok, and the exit code is 0", async () => {
  expect(await faults()).toEqual({ code: 0, checks: [] });
  const { code, stdout } = await spacefeed(["doctor"], { DATABASE_URL: db.url }).end;
  expect(code).toBe(0);
  const areas = stdout
    .split("\n")
    .filter((line) => /^\w/.test(line)) // a remedy is below it, indented
    .map((line) => line.split(/\s+/)[1]);
  expect(areas.filter((area) => !OF_MACHINE.includes(area as string))).toEqual([
    ...["migrations", "listen", "version", "writable", "timeouts", "vacuum", "tables", "triggers"],
    ...["row_security", "rights", "sequences", "indexes", "filling", "notes", "queue"],
  ]);
  expect(stdout).toMatch(/^ok {4}listen +a notification of another session arrives$/m);
});

/** A trigger of ours on the tasks. */
const NOTE = "spacefeed_note_update";

// What was done; what is told of it: the area, its state and a part of what was found. The remedies
// are run, and then all has to be well.
const BROKEN: [string, string[], [string, string, RegExp][]][] = [
  [
    "a trigger that is disabled",
    [
      `alter table public.tasks disable trigger ${NOTE}`,
      "update public.tasks set title = 'unseen' where title = 'task 1'",
    ],
    [["triggers", "fail", /spacefeed_note_update of (public\.)?tasks are disabled/]],
  ],
  [
    "a trigger that was dropped, and a deletion that nobody saw",
    ["drop trigger spacefeed_note_delete on public.tasks", "delete from public.tasks where title = 'task 2'"],
    [
      [
        "spaces",
        "fail",
        /^1 of space p2 are not recorded as they are, as task .* is recorded, but not in the table$/,
      ],
      ["triggers", "fail", /^(public\.)?tasks lacks spacefeed_note_delete/],
    ],
  ],
  [
    "an index that is missing",
    ["drop index public.tasks_project_id_idx"],
    [["indexes", "warn", /^public\.tasks has no index on project_id/]],
  ],
  [
    "an index of ours that is missing",
    ["drop index sync.changes_space_id_version_idx", "drop index sync.notes_xid_idx"],
    [
      ["indexes", "fail", /^sync\.changes has no changes_space_id_version_idx/],
      ["indexes", "fail", /^sync\.notes has no notes_xid_idx/],
    ],
  ],
  [
    "rights that were taken from the relays",
    [
      "revoke execute on function sync.reach(text[]), sync.lead(boolean) from spacefeed_relay",
      "revoke usage on schema sync from spacefeed_relay",
      "revoke select on sync.migrations from spacefeed_relay",
    ],
    [
      ["rights", "fail", /may not call sync\.lead\(boolean\), sync\.reach\(text\[\]\):/],
      ["rights", "fail", /may not read sync\.migrations/],
      ["rights", "fail", /may not use schema sync/],
    ],
  ],
  [
    "a schema that is everybody's",
    ["grant usage on schema sync to public"],
    [["rights", "fail", /^everybody may use/]],
  ],
  [
    "a sequence that is behind",
    [
      "set session_replication_role = replica",
      `insert into public.intentions (message_id, location_id)
       select 'msg_' || q.last_value + n, 'named' from sync.message_number q, generate_series(1, 300) n`,
      "set session_replication_role = origin",
      "select sync.rebuild('named')",
    ],
    [["sequences", "fail", /inserts will fail$/]],
  ],
  [
    "a column that was dropped",
    ["alter table public.tasks drop column title"],
    [["tables", "fail", /^public\.tasks has no column title any more/]],
  ],
  [
    "settings that a role has for itself",
    [
      "alter database DATABASE set synchronous_commit = off",
      "alter database DATABASE set idle_session_timeout = '10s'",
    ],
    [["timeouts", "warn", /^idle_session_timeout is 10s: /]],
  ],
  [
    "a table that is filled only in part",
    ["update sync.tracked set filled_to = '' where entity_type = 'task'"],
    [["filling", "warn", /^task is filled up to none/]],
  ],
  [
    "a queue that is not vacuumed",
    ["alter table sync.notes set (autovacuum_enabled = off)"],
    [["vacuum", "warn", /^sync\.notes is not vacuumed by itself$/]],
  ],
  [
    "a table that was dropped",
    ["drop table public.tasks cascade"],
    [
      ["tables", "fail", /^public\.tasks is not there any more$/],
      ["spaces", "fail", /^10 of space p0 are not recorded/],
      ["spaces", "fail", /^10 of space p1 are not recorded/],
      ["spaces", "fail", /^\d+ of space p2 are not recorded/],
    ],
  ],
];

describe("a broken install", () => {
  test.each(BROKEN)("%s: doctor names it and what to run, and that mends it", async (_, done, told) => {
    const { url, client } = await emptyDatabase();
    const there = await Session.open({ url, connect: async () => client } as TestDatabase);
    await migrate(url, "up");
    await makeTracker(there);
    await there.run(
      "insert into public.tasks (project_id, title) select 'p' || n % 3, 'task ' || n from generate_series(1, 30) n",
      "select sync.track('public.tasks', space => 'project_id', columns => '{id,title,project_id}', name => 'task', writable => true)",
      "call sync.fill('task')",
    );
    const database = new URL(url).pathname.slice(1);
    await there.run(...done.map((statement) => statement.replace("DATABASE", database)));

    const { code, checks } = await faults(url);
    const states = told.map(([area, state, found]) => ({
      ...{ area, state, found: expect.stringMatching(found), remedy: expect.stringMatching(/\S/) },
    }));
    expect(checks).toEqual(expect.arrayContaining(states));
    expect(checks).toHaveLength(told.length);
    expect(code).toBe(told.some(([, state]) => state === "fail") ? 1 : 0);
    for (const { remedy } of checks) await follow(remedy as string, there, url);
    expect(await faults(url)).toEqual({ code: 0, checks: [] });
  });

  test("row-level security that holds for the owner, and a table that the owner may not read", async () => {
    await s.undone(async () => {
      await s.run(
        "create role spacefeed_doctors_owner",
        "grant usage, create on schema sync to spacefeed_doctors_owner",
        `do $$ declare one regprocedure; begin
           for one in select oid from pg_proc where pronamespace = 'sync'::regnamespace and prosecdef loop
             execute format('alter function %s owner to spacefeed_doctors_owner', one);
           end loop; end $$`,
        "grant execute on all functions in schema sync to spacefeed_doctors_owner",
        "grant select on all tables in schema sync to spacefeed_doctors_owner",
        "grant select on all sequences in schema sync to spacefeed_doctors_owner",
        "grant select, insert, update, delete on public.intentions, public.beings to spacefeed_doctors_owner",
        "alter table public.intentions enable row level security",
        "alter table public.intentions force row level security",
      );
      const found = await s.query(
        "select area, found, remedy from sync.checks() where state = 'fail' order by area",
      );
      expect(found).toEqual([
        {
          area: "rights",
          found: expect.stringMatching(
            /^spacefeed_doctors_owner.* may not select, insert, update, delete public\.tasks/,
          ),
          remedy: expect.anything(),
        },
        {
          area: "row_security",
          found: expect.stringMatching(/intentions holds for spacefeed_doctors_owner/),
          remedy: expect.anything(),
        },
      ]);
      for (const { remedy } of found) await s.query(remedy as string);
      expect(await s.query("select * from sync.checks() where state = 'fail'")).toEqual([]);
    });
  });

  test("notes that nobody can record: doctor names who has the table, and ends that", async () => {
    const holder = await Session.open(db, "a long report");
    const writer = await Session.open(db);
    await writer.run("begin", "insert into public.tasks (project_id, title) values ('held', 'held')");
    await writer.run("set local sync.held = 1", "savepoint a");
    // Locked by the writer itself while it records would be no trouble: so the space's row is, by somebody else.
    await s.run("insert into public.tasks (project_id, title) values ('held', 'first')");
    await holder.run("begin", "select from sync.spaces where space_id = 'held' for update");
    await writer.run("commit");
    const { code, checks } = await faults();
    expect(code).toBe(1);
    expect(checks).toEqual([
      {
        area: "notes",
        state: "fail",
        found: `1 notes wait for longer than a second, of: held. Pid ${holder.pid} ("a long report") holds sync.spaces`,
        remedy: expect.stringMatching(new RegExp(`^select pg_terminate_backend\\(${holder.pid}, `)),
      },
    ]);
    await follow(checks[0]?.remedy as string, s, db.url);
    expect(await faults()).toEqual({ code: 0, checks: [] });
  });

  test("notes that were left without anybody: doctor says how to record them", async () => {
    await s.run("begin", "set local synchronous_commit = off");
    await s.run("insert into public.tasks (project_id, title) values ('left', 'left')", "commit");
    const { checks } = await faults();
    expect(checks).toMatchObject([
      { area: "notes", found: "1 notes wait for longer than a second, of: left" },
    ]);
    await follow(checks[0]?.remedy as string, s, db.url);
    expect(await faults()).toEqual({ code: 0, checks: [] });
  });

  test("a table that somebody has locked: doctor names who, and waits for nobody", async () => {
    const holder = await Session.open(db, "a migration");
    await s.run("begin", "set local synchronous_commit = off");
    await s.run("insert into public.tasks (project_id, title) values ('locked', 'left')", "commit");
    await holder.run("begin", "lock table public.tasks");
    const { checks } = await faults();
    expect(checks).toMatchObject([
      {
        area: "notes",
        state: "fail",
        found: expect.stringMatching(/ of: locked\. Pid \d+ \("a migration"\) holds (public\.)?tasks$/),
      },
      { area: "spaces", state: "warn", found: "cannot be compared with the tables: somebody has one locked" },
    ]);
    await follow(checks[0]?.remedy as string, s, db.url);
    expect(await faults()).toEqual({ code: 0, checks: [] });
  });

  test("a migration that is missing", async () => {
    const { url, client } = await emptyDatabase();
    const there = await Session.open({ url, connect: async () => client } as TestDatabase);
    const { code, checks } = await faults(url);
    expect({ code, checks }).toEqual({
      code: 1,
      checks: [
        {
          area: "migrations",
          state: "fail",
          found: "missing: 0001_spacefeed, 0002_tracked, 0003_reached",
          remedy: "spacefeed migrate up",
        },
      ],
    });
    await follow(checks[0]?.remedy as string, there, url);
    expect(await faults(url)).toEqual({ code: 0, checks: [] });
  });

  test("a LISTEN that nobody hears", async () => {
    const env = { DATABASE_URL: db.url, LISTEN_DATABASE_URL: "postgres://127.0.0.1:1/nobody" };
    const { code, stdout } = await spacefeed(["doctor"], env).end;
    expect(code).toBe(1);
    expect(stdout).toMatch(/^fail {2}listen +cannot LISTEN: .*\n +→ Set LISTEN_DATABASE_URL/m);
  });
});

test("without --verify no table is read whole", async () => {
  await s.undone(async () => {
    const read = async (table: string) =>
      Number(await s.value("select pg_stat_get_xact_tuples_returned($1::regclass)", [table]));
    const looked = async (verify: boolean) => {
      const before = await read("public.tasks");
      await s.query("select from sync.checks($1)", [verify]);
      return (await read("public.tasks")) - before;
    };
    expect(await looked(true)).toBeGreaterThanOrEqual(30);
    expect(await looked(false)).toBe(0);
  });
});

test("sync.checks() alone tells of a setting that loses commits, and of a slot that keeps WAL", async () => {
  const found = (area: string) =>
    s.query("select state, found, remedy from sync.checks() where area = $1", [area]);
  await s.undone(async () => {
    await s.run(`alter database ${new URL(db.url).pathname.slice(1)} set synchronous_commit = off`);
    const [fault] = await found("durability");
    expect(fault).toMatchObject({
      state: "warn",
      found: expect.stringMatching(/^synchronous_commit is off: /),
    });
    await s.query(fault?.remedy as string);
    expect(await found("durability")).not.toContainEqual(fault);
  });
  await s.query("select pg_create_physical_replication_slot('spacefeed_doctor', true)");
  const slot = {
    state: "warn",
    found: expect.stringContaining("slot spacefeed_doctor: it keeps "),
    remedy: expect.any(String),
  };
  const faults = await found("wal");
  expect(faults).toContainEqual(slot);
  await s.query(faults.find(({ found }) => /spacefeed_doctor/.test(found as string))?.remedy as string);
  expect(await found("wal")).not.toContainEqual(slot);
});

test("triggers that fire always are told of", async () => {
  await s.undone(async () => {
    await s.run(`alter table public.tasks enable always trigger ${NOTE}`);
    expect(await s.value("select found from sync.checks() where area = 'triggers'")).toMatch(
      /are there, and fire, 1 of them always$/,
    );
  });
});
