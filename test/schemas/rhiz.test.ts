import { randomUUID } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import {
  being as beingSchema,
  intention as intentionSchema,
  spaceSync,
  syncEvent,
} from "../../src/protocol/messages.js";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { faults } from "../support/relay/feed.js";
import { closing, eventually, expectEqual, followed } from "../support/relay/follow.js";
import { post, useRelay } from "../support/relay/relay.js";
import { openStream, streamUrl } from "../support/relay/stream.js";
import { Follower } from "./follower.js";
import { load } from "./load.js";
import { runFile, statementsOf } from "./statements.js";

// The application that the founding documents come from: its tables, adopted as being and intention while it writes, with its
// old sync beside ours.

const db = useDatabase();
const relay = useRelay(db);
const SPACES = ["@space-1", "@space-2", "@space-3"];
let session: Session;
let listener: Session;
const told: string[] = [];

beforeAll(async () => {
  session = await Session.open(db);
  listener = await Session.open(db, "listener");
  listener.client.on("notification", ({ channel, payload }) => told.push(`${channel} ${payload}`));
  await listener.run("listen spacefeed", "listen old_sync");
  await runFile(session, "rhiz.sql");
  await runFile(session, "rhiz-old-sync.sql");
});

/** What an application does all day. */
function write(by: Session, n: number, space: string): Promise<unknown> {
  const id = randomUUID();
  const say = `insert into rhiz_om_intentions ("id", "name", "type", "ownerId", "locationId", "state", "content")`;
  switch (n % 8) {
    case 0:
      return by.query(
        `update rhiz_om_beings set "name" = 'Guest ' || random() where "id" = '@guest-' || $1`,
        [(n % 54) + 1],
      );
    case 1: // a bot that writes its answer
      return by.run(
        "begin",
        `${say} values ('/bot-${id}', 'answer', 'utterance', '@bot-1', '${space}', 'active', '[]')`,
        `update rhiz_om_intentions set "content" = '["half"]' where "id" = '/bot-${id}'`,
        "commit",
        `update rhiz_om_intentions set "state" = 'complete', "content" = '["whole"]' where "id" = '/bot-${id}'`,
      );
    case 2:
      return by.query(`delete from rhiz_om_intentions where "id" = '/msg-' || md5($1)`, [String(n)]);
    case 3: // what does not leave
      return by.query(
        `update rhiz_om_beings set "llmApiKey" = 'secret key ' || random() where "id" = '@bot-' || $1`,
        [(n % 3) + 1],
      );
    case 4: // a move
      return by.query(`update rhiz_om_beings set "locationId" = $1 where "id" = '@guest-' || $2`, [
        space,
        (n % 54) + 1,
      ]);
    case 5:
      return by.run(
        "begin",
        `${say} values ('/never-${id}', '', 'utterance', '@guest-1', '${space}', 'draft', '[]')`,
        "rollback",
      );
    default:
      return by.query(`${say} values ($1, 'm', 'utterance', $2, $3, 'complete', $4)`, [
        `/new-${id}`,
        `@guest-${(n % 54) + 1}`,
        space,
        JSON.stringify([`number ${n}`]),
      ]);
  }
}

test("P3, P6: it is adopted while it writes, and a client that follows has what the tables have", {
  timeout: 180_000,
}, async (context) => {
  const writers = await load(db, 4, (by, chance) =>
    write(by, chance.below(100_000), chance.of(SPACES) as string),
  );
  await eventually(() => expect(writers.commits).toBeGreaterThan(50));
  await runFile(session, "rhiz-adopt.sql");
  const client = await followed(context, { url: relay.current.url, spaceId: "@space-1" });
  const followers = await Promise.all(SPACES.map((space) => Follower.of(context, relay.current.url, space)));
  const before = writers.commits;
  await eventually(() => expect(writers.commits).toBeGreaterThan(before + 200));
  await writers.stop();

  await eventually(async () => expect(await session.value("select count(*)::int from sync.notes")).toBe(0));
  expect(await faults(session)).toEqual([]);
  await expectEqual(client, relay.current.url);
  expect(client.getSnapshot().intentions.length).toBeGreaterThanOrEqual(100);
  for (const follower of followers) {
    await eventually(async () => {
      const beings = await session.query(
        `select "id", "name" from rhiz_om_beings where "locationId" = $1 order by "id" collate "C"`,
        [follower.spaceId],
      );
      expect(follower.list("being").map(({ id, name }) => ({ id, name }))).toEqual(beings);
    });
    const newest = await session.query(
      `select "id" from rhiz_om_intentions where "locationId" = $1 order by "createdAt" desc, length("id") desc, "id" collate "C" desc limit 100`,
      [follower.spaceId],
    );
    const has = new Set(follower.list("intention").map(({ id }) => id));
    expect(newest.filter(({ id }) => !has.has(id as string))).toEqual([]);
    for (const row of follower.list("being")) beingSchema.strict().parse(row);
    for (const row of follower.list("intention")) intentionSchema.strict().parse(row);
    const [first, ...events] = follower.events;
    spaceSync.parse(first);
    for (const event of events) syncEvent.parse(event);
    expect(follower.raw).not.toMatch(/secret|llmApiKey|botPrompt|extIds/);
  }
});

test("the old sync beside it sees the same: each of its messages is the complete state", async (context) => {
  interface Complete {
    beings: { id: string; name: string }[];
    intentions: { id: string; state: string; content: unknown }[];
  }
  // Its server: who hears of a space reads all of it anew, and sends that to everybody.
  const sent: Complete[] = [];
  const server = await Session.open(db, "old sync");
  let isRead = Promise.resolve();
  listener.client.on("notification", ({ channel, payload }) => {
    if (channel !== "old_sync" || payload !== "@space-2") return;
    isRead = isRead.then(async () => {
      sent.push((await server.value("select public.complete_state($1)", [payload])) as Complete);
    });
  });
  const follower = await Follower.of(context, relay.current.url, "@space-2");
  await session.run(
    `delete from rhiz_om_intentions where "locationId" = '@space-2' and "id" like '/msg-%' and "id" > '/msg-01'`,
  );
  for (let n = 0; n < 40; n++) await write(session, n, "@space-2");

  const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
  await eventually(async () => {
    await isRead;
    const old = sent.at(-1) as Complete;
    const url = new URL("/api/sync?spaceId=@space-2&limit=10000", relay.current.url);
    const ours = (await (await fetch(url)).json()) as Complete;
    const beings = follower.list("being").map(({ id, name, type }) => ({ id, name, type }));
    expect(beings.sort(byId)).toEqual(old.beings.sort(byId));
    expect(ours.intentions.map(({ id, state, content }) => ({ id, state, content })).sort(byId)).toEqual(
      old.intentions.sort(byId),
    );
  });
  expect(sent.length).toBeGreaterThan(10);
});

test("P9: the secret is in no event, no state, no note and no notification", async (context) => {
  const streams = await Promise.all(SPACES.map((space) => Follower.of(context, relay.current.url, space)));
  await session.run(
    `update rhiz_om_beings set "llmApiKey" = 'secret key', "botPrompt" = 'secret prompt', "name" = 'Bot!' where "type" = 'bot'`,
    `update rhiz_om_beings set "llmApiKey" = 'secret too' where "type" = 'bot'`,
  );
  for (const follower of streams) {
    await eventually(() =>
      expect(follower.list("being").filter(({ name }) => name === "Bot!")).toHaveLength(1),
    );
  }
  const states = await Promise.all(
    SPACES.map(async (space) =>
      (await fetch(new URL(`/api/sync?spaceId=${space}&limit=10000`, relay.current.url))).text(),
    ),
  );
  const kept = await session.query(
    "select n::text from sync.notes n union all select c::text from sync.changes c",
  );
  const { body } = await post(relay.current, "beings", { action: "get", beingId: "@bot-1" });
  expect(body.data).toMatchObject({ id: "@bot-1", name: "Bot!" });
  const all = [streams.map(({ raw }) => raw), states, JSON.stringify(kept), told, JSON.stringify(body)]
    .flat()
    .join("\n");
  expect(all).toContain("@bot-1");
  expect(all).not.toMatch(/secret|llmApiKey|botPrompt/i);
});

test("an update of what does not leave is no version", async () => {
  const version = "select version from sync.spaces where space_id = '@space-1'";
  const before = await session.value(version);
  await session.run(`update rhiz_om_beings set "llmApiKey" = 'secret again' where "id" = '@bot-1'`);
  await session.run("select sync.record()");
  expect(await session.value(version)).toBe(before);
});

test("a message ID of any form is a place to go on from, also one that is gone", async (context) => {
  await session.run(
    `insert into rhiz_om_intentions ("id", "name", "type", "ownerId", "locationId", "state", "content")
     select '/resume-' || n, '', 'utterance', '@guest-1', '@space-3', 'complete', '[]' from generate_series(1, 1) n`,
  );
  await eventually(async () =>
    expect(await session.value("select count(*)::int from sync.changes where entity_id = '/resume-1'")).toBe(
      1,
    ),
  );
  for (const n of [2, 3, 4]) {
    await session.run(
      `insert into rhiz_om_intentions ("id", "name", "type", "ownerId", "locationId", "state", "content")
       values ('/resume-${n}', '', 'utterance', '@guest-1', '@space-3', 'complete', '[]')`,
    );
  }
  const resumed = closing(context, await openStream(streamUrl(relay.current.url, "@space-3", "/resume-1")));
  const events = await resumed.until((all) => all.some(({ data }) => data?.id === "/resume-4"));
  expect(events.map(({ type }) => type)).not.toContain("space-sync");
  expect(events.find(({ data }) => data?.id === "/resume-2")).toMatchObject({
    type: "intention-created",
    messageId: "/resume-2",
    data: { messageId: "/resume-2" },
  });
  await session.run(`delete from rhiz_om_intentions where "id" = '/resume-1'`);
  const gone = closing(context, await openStream(streamUrl(relay.current.url, "@space-3", "/resume-1")));
  expect((await gone.until((all) => all.length > 0))[0].type).toBe("space-sync");
});

test("older pages go by the same order, also where two messages are of one instant", async (context) => {
  const client = await followed(context, { url: relay.current.url, spaceId: "@space-1" });
  for (let n = 0; n < 3; n++) await client.loadOlder();
  const { intentions } = client.getSnapshot();
  expect(intentions.length).toBe(400);
  const wanted = await session.query(
    `select "id" from rhiz_om_intentions where "locationId" = '@space-1'
     order by "createdAt" desc, length("id") desc, "id" collate "C" desc limit 400`,
  );
  expect(intentions.map(({ id }) => id)).toEqual(wanted.reverse().map(({ id }) => id));
});

test("the API reads, and does not write what is not writable", async () => {
  const before = await session.value("select count(*) from rhiz_om_intentions");
  const created = await post(relay.current, "intentions", {
    action: "create",
    spaceId: "@space-1",
    data: { content: ["no"] },
  });
  expect(created).toMatchObject({
    status: 400,
    body: { success: false, error: expect.stringMatching(/nothing is tracked so that it may be written/) },
  });
  const deleted = await post(relay.current, "beings", { action: "delete", beingId: "@bot-1" });
  expect(deleted.status).toBe(400);
  const list = await post(relay.current, "intentions", { action: "list", spaceId: "@space-1", limit: 3 });
  expect(list.body.data).toHaveLength(3);
  expect(await session.value("select count(*) from rhiz_om_intentions")).toBe(before);
});

test("with writable => true our client writes into the application's tables", async (context) => {
  const adopting = statementsOf("rhiz-adopt.sql");
  const tracking = adopting.filter((statement) => statement.includes("sync.track("));
  const wire = adopting.find((statement) => statement.includes("function sync.intention_json"));
  await session.run(
    `alter table rhiz_om_intentions alter "name" set default '', alter "type" set default 'utterance',
       alter "state" set default 'complete', alter "ownerId" set default '@guest-1'`,
    "begin",
    ...tracking.map((statement) => statement.replace("sorted_by =>", "writable => true, sorted_by =>")),
    wire as string,
    "commit",
  );
  const client = await followed(context, { url: relay.current.url, spaceId: "@space-1" });
  await client.updateBeing("@bot-1", { name: "Renamed by the client" });
  expect(await session.value(`select "name" from rhiz_om_beings where "id" = '@bot-1'`)).toBe(
    "Renamed by the client",
  );
  const stored = await client.createIntention({ id: "by-client", content: ["hello"] });
  expect(stored).toMatchObject({ id: "by-client", messageId: "by-client", ownerId: "@guest-1" });
  expect(await session.query(`select "content" from rhiz_om_intentions where "id" = 'by-client'`)).toEqual([
    { content: ["hello"] },
  ]);
  await client.deleteIntention("by-client");
  await expectEqual(client, relay.current.url);
  expect(client.getIntention("by-client")).toBeUndefined();
});
