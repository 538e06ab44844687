import { afterEach, expect, test } from "vitest";
import { type Bot, startBot } from "../../src/demo/bot.js";
import { startResponder } from "../../src/demo/responder.js";
import { SPACES } from "../../src/demo/spaces.js";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { startTestRelay, useRelay } from "../support/relay/relay.js";

const db = useDatabase();
const relay = useRelay(db);
let errors: unknown[] = [];
const bots: Bot[] = [];
afterEach(async () => {
  for (const bot of bots.splice(0)) await bot.close();
  expect(errors).toEqual([]);
  errors = [];
});

async function start(url = relay.current.url): Promise<Bot> {
  const bot = await startBot(url, (error) => errors.push(error));
  bots.push(bot);
  return bot;
}
const answersIn = (session: Session, spaceId = "lobby") =>
  session.query("select id, state, content->>0 as text from intentions where owner_id = $1 order by id", [
    `pip-${spaceId}`,
  ]);
const clear = (session: Session) => session.run("delete from intentions");

test("it makes the two spaces and itself in each, and leaves them alone where they are", async () => {
  const session = await Session.open(db);
  const bot = await start();
  const beings = () => session.query("select id, name, type, location_id from beings order by id");
  expect(await beings()).toEqual([
    { id: "lobby", name: "The lobby", type: "space", location_id: "lobby" },
    { id: "pip-lobby", name: "Pip", type: "bot", location_id: "lobby" },
    { id: "pip-workshop", name: "Pip", type: "bot", location_id: "workshop" },
    { id: "workshop", name: "Workshop", type: "space", location_id: "workshop" },
  ]);
  await bot.close();
  await session.run("update beings set name = 'Mine' where id in ('lobby', 'pip-workshop')");
  await start();
  expect((await beings()).map(({ name }) => name)).toEqual(["Mine", "Pip", "Mine", "Workshop"]);
  await session.run("update beings set name = 'The lobby' where id = 'lobby'");
});

test("it answers what is said from its start on, once, with one row that grows", async () => {
  const session = await Session.open(db);
  await clear(session);
  await session.run(`insert into intentions (location_id, content) values ('lobby', '["Before its time"]')`);
  await start();
  await session.run(
    `insert into intentions (id, location_id, content) values ('q', 'lobby', '["Somebody here"]')`,
  );
  const messageId = await session.value("select message_id from intentions where id = 'q'");
  const lengths = new Set<number>();
  await expect
    .poll(async () => {
      const [answer] = await answersIn(session);
      lengths.add(((answer?.text as string | null) ?? "").length);
      return answer?.state;
    })
    .toBe("complete");
  expect(lengths.size).toBeGreaterThan(5);
  const answers = await answersIn(session);
  expect(answers).toMatchObject([{ id: `pip-lobby-re-${messageId}`, state: "complete" }]);
  expect(answers[0]?.text).toContain(`${messageId}, at version`);
  const wrong = await session.query("select * from sync.verify()");
  expect(wrong).toEqual([]);
});

test("it answers a message that grows when that is whole, and no bot at all", async () => {
  const session = await Session.open(db);
  await clear(session);
  await start();
  await session.run(
    "insert into beings (id, type, name, location_id) values ('parrot', 'bot', 'Polly', 'workshop') on conflict do nothing",
    `insert into intentions (location_id, owner_id, content) values ('workshop', 'parrot', '["Polly wants a cracker"]')`,
    `insert into intentions (id, location_id, state, content) values ('slow', 'workshop', 'active', '["I am"]')`,
    `insert into intentions (id, location_id, content, type) values ('e', 'workshop', '["An error"]', 'error')`,
    `insert into intentions (id, location_id, content) values ('last', 'workshop', '["One more"]')`,
  );
  const answered = async () => (await answersIn(session, "workshop")).map(({ id }) => id);
  const idOf = async (id: string) =>
    `pip-workshop-re-${await session.value("select message_id from intentions where id = $1", [id])}`;
  const last = await idOf("last");
  await expect.poll(answered).toEqual([last]);
  await session.run(`update intentions set state = 'complete', content = '["I am done"]' where id = 'slow'`);
  await expect.poll(answered).toEqual([await idOf("slow"), last].sort());
});

test("what it left growing when it was killed is marked as failed at its next start", async () => {
  const session = await Session.open(db);
  await clear(session);
  const bot = await start();
  await session.run(`insert into intentions (location_id, content) values ('lobby', '["long"]')`);
  await expect.poll(async () => (await answersIn(session))[0]?.text ?? "").toMatch(/^A long/);
  await bot.close();
  expect((await answersIn(session))[0]?.state).toBe("active");
  await session.run(
    `insert into intentions (id, location_id, state, content) values ('other', 'lobby', 'active', '["Mine"]')`,
  );
  await start();
  await expect.poll(async () => (await answersIn(session))[0]?.state).toBe("failed");
  expect(await session.value("select state from intentions where id = 'other'")).toBe("active");
});

test("a thousand messages in one transaction have one answer", async () => {
  const session = await Session.open(db);
  await clear(session);
  await start();
  await session.run(
    `insert into intentions (location_id, content) select 'lobby', '["bulk"]' from generate_series(1, 1000)`,
  );
  await expect.poll(async () => (await answersIn(session))[0]?.state).toBe("complete");
  const answers = await answersIn(session);
  expect(answers).toHaveLength(1);
  expect(answers[0]?.text).toMatch(/^More than 100 messages came/);
});

test("it may sit there for years: it does not keep what was said long ago, and misses nothing over that", async () => {
  const session = await Session.open(db);
  await clear(session);
  await session.run(
    `insert into intentions (location_id, content) select 'lobby', '["Long ago"]' from generate_series(1, 150)`,
  );
  // A client begins with 100, and each question and its answer are two more.
  const responder = await startResponder(relay.current.url, SPACES[0], (error) => errors.push(error), 104);
  try {
    for (let n = 1; n <= 6; n++) {
      await session.query(
        `insert into intentions (id, location_id, content) values ($1, 'lobby', '["Hello"]')`,
        [`h${n}`],
      );
      await expect.poll(async () => (await answersIn(session)).length).toBe(n);
      const growing = async () => (await answersIn(session)).filter(({ state }) => state !== "complete");
      // Every other time the next one comes when the bot has nothing to do, and may take a new client.
      if (n % 2 === 0) await expect.poll(growing).toEqual([]);
    }
  } finally {
    responder.close();
  }
});

test("messages that are deleted under its hands, and a relay that goes and comes, do it no harm", async () => {
  const session = await Session.open(db);
  await clear(session);
  const first = await startTestRelay(db);
  const bot = await start(first.url);
  await session.run(`insert into intentions (location_id, content) values ('lobby', '["long"]')`);
  await expect.poll(async () => (await answersIn(session))[0]?.text ?? "").toMatch(/^A long/);
  await session.run("delete from intentions");
  await session.run(`insert into intentions (location_id, content) values ('lobby', '["long"]')`);
  await expect.poll(async () => (await answersIn(session))[0]?.text ?? "").toMatch(/^A long/);
  await first.close();
  const second = await startTestRelay(db, { port: Number(new URL(first.url).port) });
  try {
    await session.run(
      `insert into intentions (id, location_id, content) values ('back', 'lobby', '["Are you back?"]')`,
    );
    const id = `pip-lobby-re-${await session.value("select message_id from intentions where id = 'back'")}`;
    await expect.poll(async () => (await answersIn(session)).map((row) => row.id)).toContain(id);
  } finally {
    await bot.close();
    await second.close();
  }
});

test("without rights it says so to whoever started it, and keeps nothing open", async () => {
  const session = await Session.open(db);
  await session.run(
    `create or replace function sync.authorize(claims jsonb, action text, space_id text, entity jsonb)
     returns boolean language sql stable set search_path = '' as $$ select action = 'read' $$`,
    "delete from public.beings",
  );
  await expect(startBot(relay.current.url)).rejects.toMatchObject({ code: "forbidden" });
  expect(SPACES).toHaveLength(2);
});
