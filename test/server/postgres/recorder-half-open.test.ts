import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { TestRecorder } from "../../support/postgres/recorder.js";
import { Session } from "../../support/postgres/session.js";
import { faults, versionOf } from "../../support/relay/feed.js";
import { TcpProxy } from "../../support/relay/tcp-proxy.js";

const db = useDatabase();

test("P3, P12: a recorder whose line is half-open is followed by another one: the server ends its silent session, and frees the lock", async (context) => {
  const session = await Session.open(db);
  const { proxy, url } = await TcpProxy.before(db.url);
  const [cut, other] = [new TestRecorder({ url }), new TestRecorder(db)];
  context.onTestFinished(async () => {
    proxy.close();
    await Promise.all([cut.close(), other.close()]);
  });
  const say = (id: string) =>
    session.query("insert into intentions (id, location_id) values ($1, 'den')", [id]);
  await cut.sleeps();
  await cut.wake();
  await other.start();
  await other.becomes("standby");
  const holder = await session.value("select recorder from sync.status");
  await say("before");
  await expect.poll(() => versionOf(session, "den")).toBe(1);

  proxy.swallow();
  await say("in the gap");
  await other.becomes("asleep"); // the server has ended the other's silent session
  await other.wake();
  await say("after");
  await other.sees("den");
  await expect
    .poll(() => session.query("select label from sync.changes where space_id = 'den'"))
    .toHaveLength(3);
  expect(await session.value("select recorder from sync.status")).not.toBe(holder);
  expect(await session.value("select count(*)::int from pg_stat_activity where pid = $1", [holder])).toBe(0);
  expect(await faults(session)).toEqual([]);
});
