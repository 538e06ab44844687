import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { beforeEach, expect, test } from "vitest";
import { readConfig } from "../../src/server/config.js";
import { type Relay, startRelay } from "../../src/server/relay.js";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { useCommand } from "../support/process/command.js";
import { post } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

const db = useDatabase();
const spacefeed = useCommand();
let session: Session;
let logged: string[];

beforeEach(async () => {
  session = await Session.open(db);
  logged = [];
});

/** A relay that is starting, and what it logs from `warn` on. */
function starting(url = db.url): Promise<Relay> {
  const log = pino({ level: "warn" }, { write: (line) => void logged.push(JSON.parse(line).msg) });
  return startRelay({ ...readConfig({}), databaseUrl: url, demo: false, port: 0 }, log);
}
async function readiness(relay: Relay): Promise<{ status: number; warnings: string[] }> {
  const response = await fetch(`${relay.url}/readyz`);
  return { status: response.status, warnings: ((await response.json()) as { warnings: string[] }).warnings };
}

const TROUBLES = [
  {
    what: "a trigger is disabled",
    doing: "alter table public.intentions disable trigger spacefeed_note_insert",
    undoing: "alter table public.intentions enable trigger spacefeed_note_insert",
    warning: /spacefeed_note_insert.*public\.intentions.*Run: alter table public\.intentions enable trigger/,
  },
  {
    what: "the triggers are on the old table, after a swap by rename",
    doing: `alter table public.intentions rename to intentions_old;
      create table public.intentions (like public.intentions_old including all)`,
    undoing: "drop table public.intentions; alter table public.intentions_old rename to intentions",
    warning: /public\.intentions lacks .*intentions_old has them.*Run: spacefeed migrate up/,
  },
  {
    what: "the database is read-only",
    doing: "alter database $db set default_transaction_read_only = on",
    undoing: "alter database $db reset default_transaction_read_only",
    warning: /read_only is on.*Run: alter database .* reset default_transaction_read_only/,
  },
  {
    what: "the schema's functions are of another version",
    doing: "alter function sync.warnings() rename to warnings_away",
    undoing: "alter function sync.warnings_away() rename to warnings",
    warning: /cannot be asked for its warnings.*Run: spacefeed migrate up/,
  },
];

test.each(TROUBLES)(
  "what nobody would see is told while it lasts, with what to run: $what",
  async ({ doing, undoing, warning }) => {
    const name = new URL(db.url).pathname.slice(1);
    const relay = await starting();
    try {
      expect(await readiness(relay)).toEqual({ status: 200, warnings: [] });
      await session.query(doing.replace("$db", name));
      await expect
        .poll(() => readiness(relay), { interval: 200 })
        .toEqual({ status: 200, warnings: expect.arrayContaining([expect.stringMatching(warning)]) });
      expect(logged.filter((line) => warning.test(line))).toHaveLength(1);
    } finally {
      await session.query(undoing.replace("$db", name));
    }
    await expect.poll(async () => (await readiness(relay)).warnings, { interval: 200 }).toEqual([]);
    await relay.close();
  },
);

test("that requests are turned away is told in /readyz, and why in the log", async () => {
  await session.query(`
    create function public.full_disk() returns trigger language plpgsql as $$
    begin raise exception 'could not extend file: No space left on device' using errcode = 'disk_full'; end $$;
    create trigger full_disk before insert on public.intentions for each row execute function public.full_disk()`);
  const relay = await starting();
  const spaceId = await newSpace(relay);
  const statuses = [];
  for (let n = 0; n < 3; n++) {
    statuses.push((await post(relay, "intentions", { action: "create", spaceId })).status);
  }
  const { status, warnings } = await readiness(relay);
  await relay.close();
  await session.query("drop function public.full_disk() cascade");
  expect(statuses).toEqual([503, 503, 503]);
  expect([status, warnings]).toEqual([200, [expect.stringMatching(/^requests were turned away.*log/)]]);
  expect(logged).toEqual(["the database cannot be reached: try again in a moment"]);
});

test("what is so at the start is told before the first request", async () => {
  await session.query("alter table public.beings disable trigger spacefeed_note_delete");
  const relay = await starting();
  const told = [...logged];
  await relay.close();
  await session.query("alter table public.beings enable trigger spacefeed_note_delete");
  expect(told).toEqual([
    expect.stringMatching(/spacefeed_note_delete.*Run: alter table public\.beings enable/),
  ]);
});

test("a relay starts before a database that is read-only, reads, and says what to run", async () => {
  const name = new URL(db.url).pathname.slice(1);
  await session.query("insert into public.beings (id, type) values ('library', 'space')");
  await session.query(`alter database ${name} set default_transaction_read_only = on`);
  try {
    const relay = await starting();
    const told = [...logged];
    const state = await fetch(`${relay.url}/api/sync?spaceId=library`);
    await relay.close();
    expect(state.status).toBe(200);
    expect(told.join()).toMatch(/Run: alter database .* reset default_transaction_read_only/);
  } finally {
    await session.query(`alter database ${name} reset default_transaction_read_only`);
  }
});

test("a right that a migration can grant is there after it: writes of spacefeed_relay work without public's rights", async () => {
  const login = `granted_${session.pid}`;
  await session.run(
    `create role ${login} login password 'pw' in role spacefeed_relay`,
    "revoke usage on schema public from public, spacefeed_relay",
    "revoke delete on public.intentions from spacefeed_relay",
  );
  const owner = await starting();
  await owner.close();
  const url = new URL(db.url);
  url.username = login;
  url.password = "pw";
  const relay = await starting(url.href);
  try {
    expect((await readiness(relay)).warnings).toEqual([]);
    const spaceId = await newSpace(relay);
    const create = await post(relay, "intentions", { action: "create", intentionId: "granted", spaceId });
    const remove = await post(relay, "intentions", { action: "delete", intentionId: "granted" });
    expect([create.status, remove.status]).toEqual([200, 200]);
  } finally {
    await relay.close();
    await session.run("grant usage on schema public to public", `drop role ${login}`);
  }
});

const HOLDING = [
  {
    what: "the migrations' lock",
    holding: "select pg_advisory_lock(7241865325823964)",
    ending: "select pg_advisory_unlock_all()",
  },
  { what: "a function", holding: "begin; alter function sync.epoch() cost 50", ending: "rollback" },
];

test.each(HOLDING)(
  "a relay that waits for somebody at its start says for whom, and starts after them: $what",
  async ({ holding, ending }) => {
    const holder = await Session.open(db, "a forgotten psql");
    await holder.query(holding);
    const relay = starting();
    const waits = `the migration waits for pid ${holder.pid} ("a forgotten psql", user `;
    await expect.poll(() => logged).toEqual([expect.stringContaining(waits)]);
    expect(logged[0]).toMatch(`select pg_terminate_backend(${holder.pid})`);
    expect(await Promise.race([relay.then(() => "started"), sleep(100, "waits")])).toBe("waits");
    await holder.query(ending);
    await (await relay).close();
  },
);

test("so does `spacefeed migrate`", async () => {
  const holder = await Session.open(db, "a forgotten psql");
  await holder.query("select pg_advisory_lock(7241865325823964)");
  const command = spacefeed(["migrate", "up"], { DATABASE_URL: db.url });
  await command.until("stderr", /waits for pid \d+ \("a forgotten psql"/);
  await holder.query("select pg_advisory_unlock_all()");
  expect(await command.end).toMatchObject({ code: 0, stdout: "up: nothing to do\n" });
});
