import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { useRecorders } from "../../support/postgres/recorder.js";
import { useSession } from "../../support/postgres/session.js";

const db = useDatabase();
const makeRecorder = useRecorders(db);
const session = useSession(db);

const say = () => session.query("insert into beings (location_id) values ('one')");

test("P12: so many notifications within the time wake a relay, and one fewer does not", async () => {
  const relay = makeRecorder({ busy: { notifications: 3, withinMs: 60_000 } });
  await relay.sleeps();
  await say();
  await say();
  await expect.poll(() => relay.woken).toHaveLength(2);
  expect(relay.recorder.at).toBe("asleep");
  await say();
  await relay.becomes("awake");
});

test("P12: notifications that are spread over more than the time do not add up", async () => {
  const relay = makeRecorder({ busy: { notifications: 2, withinMs: -1 } }); // over before the next one
  await relay.sleeps();
  for (let n = 0; n < 10; n++) await say();
  await expect.poll(() => relay.woken).toHaveLength(10);
  expect(relay.recorder.at).toBe("asleep");
});

test("P12: a relay stays awake while there is something to record, however little, and falls asleep when there is nothing", async () => {
  const relay = makeRecorder({ busy: { notifications: 1, withinMs: 1_000 }, quietMs: 2_000 });
  await relay.sleeps();
  await say();
  await relay.becomes("awake");
  for (let n = 0; n < 10; n++) {
    await say();
    await relay.records(3);
  }
  expect(relay.recorder.at).toBe("awake");
  await relay.becomes("asleep");
});
