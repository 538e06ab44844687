import pg from "pg";
import { expect, type TestContext, test } from "vitest";
import { migrate } from "../../src/server/postgres/migrate.js";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { closing, eventually, expectEqual, followed, stateAt } from "../support/relay/follow.js";
import { startTestRelay, useRelay } from "../support/relay/relay.js";

const db = useDatabase();
const relay = useRelay(db);
const session = useSession(db);

// All of one instant. As text, as numbers, in upper and lower case, and beyond the characters of two bytes.
const IDS = ["b", "B", "a", "A", "_", "-", "é", "z", "10", "9", "𝄞", "ab", "a b", "a-b"];

async function sorted(
  context: TestContext,
  relayUrl: string,
  write: (text: string, values?: string[]) => Promise<unknown>,
) {
  await write("insert into beings (id, type, created_at) values ('room', 'space', '2026-01-01Z')");
  const client = await followed(context, { url: relayUrl, spaceId: "room" });
  for (const id of IDS) {
    await write("insert into beings (id, location_id, created_at) values ($1, 'room', '2026-01-01Z')", [id]);
    await write("insert into intentions (id, location_id, created_at) values ($1, 'room', '2026-01-01Z')", [
      id,
    ]);
  }
  await eventually(() => expect(client.getSnapshot().beings.length).toBe(IDS.length + 1));
  return client;
}
const ids = (list: readonly { id: string }[]) => list.map(({ id }) => id);

test("what comes one by one is sorted as the database sorts it", async (context) => {
  const client = await sorted(context, relay.current.url, (text, values) => session.query(text, values));
  await session.query(
    "insert into intentions (location_id, created_at) values ('room', '1999-12-31 23:59:59.999999Z'), ('room', '0001-01-01Z')",
  );
  await expectEqual(client, relay.current.url);
});

test("the same in a database that sorts text as a language does", async (context) => {
  const admin = await db.connect();
  const { rows } = await admin.query("select current_setting('server_version_num')::int as number");
  if (rows[0].number < 150_000) context.skip("its databases have no ICU collation");
  const url = new URL(db.url);
  url.pathname += "_icu";
  const name = url.pathname.slice(1);
  await admin.query(
    `create database ${name} template template0 locale_provider icu icu_locale 'en' locale 'C'`,
  );
  context.onTestFinished(async () => {
    await admin.query(`drop database ${name} with (force)`);
  });
  await migrate(url.href, "up");
  const own = closing(context, await startTestRelay({ ...db, url: url.href }));
  const writer = new pg.Client({ connectionString: url.href });
  await writer.connect();
  context.onTestFinished(() => writer.end());
  const client = await sorted(context, own.url, (text, values) => writer.query(text, values));
  const { beings } = await stateAt(own.url, "room");
  expect(ids(client.getSnapshot().beings)).toEqual(ids(beings));
  await expectEqual(client, own.url);
});
