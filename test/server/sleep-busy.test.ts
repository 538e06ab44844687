import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/database.js";
import { Session } from "../support/session.js";
import { useWatches } from "../support/watch.js";

const db = useDatabase();
const makeWatch = useWatches(db);
let session: Session;

beforeAll(async () => {
  session = await Session.open(db);
});

const say = () => session.query("insert into beings (location_id) values ('one')");

test("P12: so many notifications within the time wake a relay, and one fewer does not", async () => {
  const relay = makeWatch({ busy: { notifications: 3, withinMs: 60_000 } });
  await relay.start();
  await relay.becomes("asleep");
  await say();
  await say();
  await expect.poll(() => relay.notified).toHaveLength(2);
  expect(relay.watch.at).toBe("asleep");
  await say();
  await relay.becomes("awake");
});

test("P12: notifications that are spread over more than the time do not add up", async () => {
  const relay = makeWatch({ busy: { notifications: 2, withinMs: -1 } }); // over before the next one
  await relay.start();
  await relay.becomes("asleep");
  for (let n = 0; n < 10; n++) await say();
  await expect.poll(() => relay.notified).toHaveLength(10);
  expect(relay.watch.at).toBe("asleep");
});

test("P12: a relay stays awake while polls find something, however little, and notifications come all the while", async () => {
  const relay = makeWatch({ busy: { notifications: 1, withinMs: 1_000 }, quietMs: 2_000 });
  await relay.start();
  await relay.becomes("asleep");
  await say();
  await relay.becomes("awake");
  // Repeatable read notifies whoever is awake: what would wake a sleeper is nothing to one that is.
  for (let n = 0; n < 10; n++) {
    await session.run("begin isolation level repeatable read");
    await say();
    await session.run("commit");
    await relay.polls(3);
  }
  expect(relay.watch.at).toBe("awake");
  await relay.becomes("asleep");
});
