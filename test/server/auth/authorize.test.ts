import { pino } from "pino";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { readConfig } from "../../../src/server/config.js";
import { migrate } from "../../../src/server/postgres/migrate.js";
import { startRelay } from "../../../src/server/relay.js";
import { useDatabase } from "../../support/postgres/database.js";
import { Session, useSession } from "../../support/postgres/session.js";
import { useRefusals } from "../../support/relay/refusal.js";
import { post, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";
import { decideBy } from "../../support/relay/token.js";

const db = useDatabase();
const relay = useRelay(db);
const refused = useRefusals(db, relay);
const session = useSession(db);
let spaceId: string;

const decide = (sql: string) => decideBy(session, sql);

beforeEach(async () => {
  await decide("select true");
  spaceId = await newSpace(relay.current);
  await post(relay.current, "beings", { action: "create", beingId: `b-${spaceId}`, spaceId });
  await post(relay.current, "intentions", { action: "create", intentionId: `i-${spaceId}`, spaceId });
});

const forbidden = (action: string) => ({
  status: 403,
  code: "forbidden",
  error: new RegExp(`^not allowed: ${action}$`),
});

test("the DBA's sync.authorize() survives migrate up", async () => {
  await decide("select authorize.action = 'mine'");
  const before = await session.value("select prosrc from pg_proc where oid = 'sync.authorize'::regproc");
  await migrate(db.url, "up");
  expect(await session.value("select prosrc from pg_proc where oid = 'sync.authorize'::regproc")).toBe(
    before,
  );
});

test.each([
  ["false", "select false"],
  ["null", "select null::boolean"],
])("where it says %s, nothing is read, streamed or written: each is 403 and named", async (_, sql) => {
  await decide(sql);
  for (const path of ["stream", "sync"]) {
    await refused(`/api/${path}?spaceId=${spaceId}`, undefined, forbidden("read"));
  }
  for (const [path, key, id] of [
    ["/api/beings", "beingId", `b-${spaceId}`],
    ["/api/intentions", "intentionId", `i-${spaceId}`],
  ] as const) {
    await refused(path, { action: "get", [key]: id }, forbidden("read"));
    await refused(path, { action: "list", spaceId }, forbidden("read"));
    await refused(path, { action: "create", spaceId }, forbidden("create"));
    await refused(path, { action: "create", [key]: id, spaceId }, forbidden("create"));
    await refused(path, { action: "update", [key]: id, data: { name: "n" } }, forbidden("update"));
    await refused(path, { action: "delete", [key]: id }, forbidden("delete"));
  }
});

test("the list of an empty space is refused as well", async () => {
  await post(relay.current, "beings", {
    action: "create",
    beingId: "bare",
    spaceId,
    data: { type: "space" },
  });
  await decide("select false");
  for (const path of ["/api/beings", "/api/intentions"]) {
    const error = "not allowed: read";
    await refused(path, { action: "list", spaceId: "bare" }, { status: 403, code: "forbidden", error });
  }
});

test("it decides by the entity: as it is and as it would be", async () => {
  await decide("select authorize.action = 'read' or authorize.entity ->> 'name' is distinct from 'locked'");
  const update = (name: string) => ({ action: "update", intentionId: `i-${spaceId}`, data: { name } });
  const create = { action: "create", spaceId, data: { name: "locked" } };
  await refused("/api/intentions", create, forbidden("create"));
  await refused("/api/intentions", update("locked"), forbidden("update"));
  expect((await post(relay.current, "intentions", update("open"))).status).toBe(200);
  await session.query("update public.intentions set name = 'locked' where id = $1", [`i-${spaceId}`]);
  await refused("/api/intentions", update("open"), forbidden("update"));
  const remove = { action: "delete", intentionId: `i-${spaceId}` };
  await refused("/api/intentions", remove, forbidden("delete"));
});

test("it decides by the space: a move needs the right in both", async () => {
  const other = await newSpace(relay.current);
  await decide(`select authorize.space_id is distinct from '${other}' or authorize.action = 'read'`);
  const move = (locationId: string) => ({
    action: "update",
    intentionId: `i-${spaceId}`,
    data: { locationId },
  });
  const error = "not allowed: update";
  await refused("/api/intentions", move(other), { status: 403, code: "forbidden", error });
  await session.query("update public.intentions set location_id = $1 where id = $2", [other, `i-${spaceId}`]);
  await refused("/api/intentions", move(spaceId), { status: 403, code: "forbidden", error });
});

test.each(["update", "delete"])(
  "it decides by the row that a %s has waited for, not by the one before",
  async (action) => {
    const other = await newSpace(relay.current);
    await decide(`select authorize.space_id is distinct from '${other}' or authorize.action = 'read'`);
    const mover = await Session.open(db);
    const move = "update public.intentions set location_id = $1 where id = $2";
    await mover.query("begin");
    await mover.query(move, [other, `i-${spaceId}`]);
    const data = action === "update" ? { data: { name: "late" } } : {};
    const late = post(relay.current, "intentions", { action, intentionId: `i-${spaceId}`, ...data });
    const waits = "select count(*)::int from pg_stat_activity where $1 = any(pg_blocking_pids(pid))";
    await expect.poll(() => session.value(waits, [mover.pid]), { timeout: 10_000 }).toBe(1);
    await mover.query("commit");
    expect(await late).toMatchObject({
      status: 403,
      body: { code: "forbidden", error: `not allowed: ${action}` },
    });
    const rows = await session.query("select name from public.intentions where id = $1", [`i-${spaceId}`]);
    expect(rows).toEqual([{ name: "" }]);
  },
);

test("it sees the tables as they were: what is being written gives its writer no right", async () => {
  await decide(`select exists (
    select from public.beings b where b.location_id = authorize.space_id and b.name = 'key')`);
  const enter = { action: "create", spaceId, data: { name: "key" } };
  await refused("/api/beings", enter, forbidden("create"));
  await session.query("update public.beings set name = 'key' where id = $1", [`b-${spaceId}`]);
  const update = { action: "update", beingId: `b-${spaceId}`, data: { name: "no key" } };
  expect((await post(relay.current, "beings", update)).status).toBe(200);
  await refused("/api/beings", { ...update, data: { name: "key" } }, forbidden("update"));
});

test("it may allow reading only", async () => {
  await decide("select authorize.action = 'read'");
  const stream = await openStream(streamUrl(relay.current.url, spaceId));
  await stream.until((events) => events.length === 1);
  stream.close();
  await refused("/api/beings", { action: "create", spaceId }, forbidden("create"));
});

test("nobody in particular is null, as its comment says: `claims is not null` lets nobody in", async () => {
  await decide("select authorize.claims is not null");
  await refused(`/api/stream?spaceId=${spaceId}`, undefined, forbidden("read"));
  await refused("/api/beings", { action: "create", spaceId }, forbidden("create"));
});

test.each([
  ["a division by zero", "select 1 / (case when authorize.action = 'mine' then 1 else 0 end) = 1"],
  ["a right that its owner lacks", "select fail('42501')"],
  ["a value", "select fail('22023')"],
  ["a constraint", "select fail('23514')"],
  ["an exception", "select fail('P0001')"],
  ["a state of its own", "select fail('A1B2C')"],
])("an error in it is a fault of the server, never a yes, and its text stays here: %s", async (_, sql) => {
  await session.run(
    `create or replace function public.fail(state text) returns boolean language plpgsql as $$
     begin raise exception 'a secret of the policy' using errcode = state; end $$`,
  );
  await decide(sql.replace("fail(", "public.fail("));
  const fault = { status: 500, code: "internal", error: /^the database refused a query; the log has/ };
  for (const path of [`/api/stream?spaceId=${spaceId}`, `/api/sync?spaceId=${spaceId}`]) {
    await refused(path, undefined, fault);
  }
  const get = { action: "get", beingId: `b-${spaceId}` };
  for (const body of [get, { ...get, action: "delete" }, { action: "create", beingId: "never", spaceId }]) {
    await refused("/api/beings", body, fault);
  }
  expect(await session.value("select count(*)::int from public.beings where id = 'never'")).toBe(0);
});

test("the log has the text of an error in it: of a newcomer's, and of a write's", async () => {
  const lines: string[] = [];
  const config = { ...readConfig({}), databaseUrl: db.url, demo: false, port: 0 };
  const logging = await startRelay(config, pino({ level: "error" }, { write: (line) => lines.push(line) }));
  onTestFinished(() => logging.close());
  await decide("select ('no number: ' || authorize.action)::integer = 1");
  expect((await fetch(streamUrl(logging.url, spaceId))).status).toBe(500);
  expect((await post(logging, "beings", { action: "create", spaceId })).status).toBe(500);
  expect(lines).toEqual([
    expect.stringContaining("no number: read"),
    expect.stringContaining("no number: create"),
  ]);
});

test("who may not read an entity does not get to know which space it is in", async () => {
  await decide("select false");
  for (const action of ["get", "delete"]) {
    const { status, body } = await post(relay.current, "beings", { action, beingId: `b-${spaceId}` });
    expect([status, JSON.stringify(body).replaceAll(`b-${spaceId}`, "")]).toEqual([
      403,
      expect.not.stringContaining(spaceId),
    ]);
  }
});
