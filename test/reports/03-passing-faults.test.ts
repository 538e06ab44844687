import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Relay } from "../../src/server/relay.js";
import { useDatabase } from "../support/postgres/database.js";
import { urlAs } from "../support/postgres/roles.js";
import { Session, useSession } from "../support/postgres/session.js";
import { post, startTestRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";
import { TcpProxy } from "../support/relay/tcp-proxy.js";

// What an operator does to a database, with a relay before it. Each is taken back, and the same request works.

const db = useDatabase();
const session = useSession(db);
/** In another database, for what is done to this one. */
let admin: pg.Client;
let relay: Relay;
let login: string;
let name: string;

beforeAll(async () => {
  const postgres = new URL(db.url);
  postgres.pathname = "/postgres";
  admin = new pg.Client({ connectionString: postgres.href });
  await admin.connect();
  login = `passing_${session.pid}`;
  name = new URL(db.url).pathname.slice(1);
  await session.run(`create role ${login} login password 'x' in role spacefeed_relay`);
  relay = await startTestRelay({ ...db, url: urlAs(db.url, login) });
});
afterAll(async () => {
  await relay?.close();
  await admin.end();
  await session.run(`drop role ${login}`);
});

/** The sessions of the relay end, so that its next ones meet what was done. */
const cutOff = () =>
  session.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", [login]);

test.each([
  [
    "the database is read-only",
    "alter database $db set default_transaction_read_only = on",
    "alter database $db reset default_transaction_read_only",
  ],
  [
    "the database takes no connections",
    "alter database $db allow_connections false",
    "alter database $db allow_connections true",
  ],
  [
    "the database takes no more connections",
    "alter database $db connection limit 0",
    "alter database $db connection limit -1",
  ],
  [
    "the role may not connect",
    "revoke connect on database $db from public",
    "grant connect on database $db to public",
  ],
  ["the role may not log in", "alter role $login nologin", "alter role $login login"],
  [
    "the role takes no more connections",
    "alter role $login connection limit 0",
    "alter role $login connection limit -1",
  ],
  [
    "a right is missing",
    "revoke usage on schema sync from spacefeed_relay",
    "grant usage on schema sync to spacefeed_relay",
  ],
  [
    "a function has no right",
    "revoke execute on function sync.write(jsonb, text, text, text, text, jsonb, text[]) from spacefeed_relay",
    "grant execute on function sync.write(jsonb, text, text, text, text, jsonb, text[]) to spacefeed_relay",
  ],
  [
    "the message sequence is behind",
    "select setval('sync.message_number', 1, false)",
    "select setval('sync.message_number', 1000)",
  ],
  [
    "the message sequence is at its end",
    "select setval('sync.message_number', 9223372036854775807)",
    "select setval('sync.message_number', 2000)",
  ],
])("a message is not refused for what passes: %s", async (_, doing, undoing) => {
  const spaceId = await newSpace(relay);
  expect((await post(relay, "intentions", { action: "create", spaceId })).status).toBe(200);
  const run = (statement: string) =>
    (/^alter (database|role)/.test(statement) ? admin : session).query(
      statement.replace("$db", name).replace("$login", login),
    );
  const create = { action: "create", intentionId: `m in ${spaceId}`, spaceId };
  await run(doing);
  try {
    await cutOff();
    // The first may only meet a session that was ended.
    for (let n = 0; n < 3; n++) {
      const { status, headers, body } = await post(relay, "intentions", create);
      expect([status, body.code]).toEqual([503, "unavailable"]);
      expect(headers.get("retry-after")).toMatch(/^\d+$/);
    }
  } finally {
    await run(undoing);
  }
  // Nothing of it stays behind in a session of the pool.
  await expect.poll(async () => (await post(relay, "intentions", create)).status).toBe(200);
});

test("a message is not refused for what happens to a socket: cut, refused, and cut in the midst of a statement", async () => {
  const { proxy, url } = await TcpProxy.before(db.url);
  const proxied = await startTestRelay({ ...db, url });
  try {
    const spaceId = await newSpace(proxied);
    const create = { action: "create", intentionId: `by a line in ${spaceId}`, spaceId };
    const blocker = await Session.open(db);
    await blocker.run("begin", "lock table public.intentions");
    const midst = post(proxied, "intentions", create);
    const waits =
      "select count(*)::int from pg_locks where not granted and relation = 'public.intentions'::regclass";
    await expect.poll(() => session.value(waits)).toBe(1);
    proxy.refuse();
    proxy.cut();
    const refused = await post(proxied, "intentions", create);
    for (const { status, headers, body } of [await midst, refused]) {
      expect([status, body.code]).toEqual([503, "unavailable"]);
      expect(headers.get("retry-after")).toMatch(/^\d+$/);
    }
    await blocker.run("rollback");
    await proxy.accept();
    await expect.poll(async () => (await post(proxied, "intentions", create)).status).toBe(200);
  } finally {
    await proxied.close();
    proxy.close();
  }
});
