import { setTimeout } from "node:timers/promises";
import type { BrowserContext } from "playwright-core";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { useBrowser } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { FIREFOX, useFirefox } from "../support/browser/firefox.js";
import { useSite } from "../support/browser/site.js";
import { leaderOf, type PageOptions, SpacePage, settled } from "../support/browser/space-page.js";
import { useDatabase } from "../support/postgres/database.js";
import { keepDoing } from "../support/process/keep-doing.js";
import { useRelay } from "../support/relay/relay.js";
import { snapshots, streams, streamsBecome } from "../support/relay/relay-metrics.js";

// Each tab is in a room of its own. The site speaks HTTP/1.1: six streams would leave no connection for anything else.
vi.setConfig({ testTimeout: 120_000 });
const db = useDatabase();
// Rare, so that a page which the machine keeps waiting does not take its line for dead.
const relay = useRelay(db, { heartbeatMs: 10_000 });
const site = useSite({ entry: new URL("./pages/space.ts", import.meta.url), relay });
const chromium = useBrowser();
const firefox = useFirefox();
beforeEach(() => streamsBecome(relay.current, 0));

/** A tab, and the room that it is in. */
interface Place {
  tab: SpacePage;
  room: Conversation;
}

async function openRooms(context: BrowserContext, count: number, options: Partial<PageOptions> = {}) {
  const places: Place[] = [];
  for (let n = 0; n < count; n++) {
    const room = await Conversation.begin(db);
    const tab = await SpacePage.open(context, site.current.url, { spaceId: room.spaceId, ...options });
    places.push({ tab, room });
  }
  for (const { tab } of places) await tab.reaches("realtime");
  return places;
}

const allSettled = (places: readonly Place[]) =>
  Promise.all(places.map(({ tab, room }) => settled(room, tab)));

/** All write and read at the same time, until it is stopped; then each has all that is in its room, once. */
function keepTalking(places: readonly Place[]) {
  const writers = places.map(({ tab, room }) =>
    keepDoing(async (n) => {
      await Promise.all([room.write(`from SQL ${n}`), tab.say(`from the tab ${n}`)]);
      await setTimeout(20);
    }),
  );
  return { stop: () => Promise.all(writers.map((writer) => writer.stop())) };
}

async function leaderAmong(places: readonly Place[]) {
  const tab = await leaderOf(places.map((place) => place.tab));
  const leader = places.find((place) => place.tab === tab) as Place;
  return { leader, rest: places.filter((place) => place !== leader) };
}

const ENGINES = {
  Chromium: () => chromium.newContext(),
  // It has what is asked of it here: pages, and their requests.
  Firefox: async () => (await firefox.newContext()) as unknown as BrowserContext,
};

for (const [engine, newContext] of Object.entries(ENGINES)) {
  describe.skipIf(engine === "Firefox" && !FIREFOX)(
    `in ${engine} (skipped where it is not installed)`,
    () => {
      test("eight tabs in eight rooms have one stream, and all write and read at the same time", async () => {
        const places = await openRooms(await newContext(), 8);
        expect(await streams(relay.current)).toBe(1);
        const talk = keepTalking(places);
        await setTimeout(1_000);
        await talk.stop();
        await allSettled(places);
        expect(await streams(relay.current)).toBe(1);
        for (const { tab } of places) expect((await tab.view()).modes).toEqual(["opening", "realtime"]);
      });

      test("P3: leaders are closed one after the other while all talk: nothing is lost or doubled", async () => {
        let places = await openRooms(await newContext(), 6);
        const before = await snapshots(relay.current);
        while (places.length > 2) {
          const talk = keepTalking(places);
          const { leader, rest } = await leaderAmong(places);
          await setTimeout(100);
          await talk.stop();
          const still = keepTalking(rest);
          await leader.tab.page.close();
          await leaderAmong(rest);
          await still.stop();
          await allSettled(rest);
          await streamsBecome(relay.current, 1);
          places = rest;
        }
        // Each has gone on from its own cursor, and was connected all the time.
        expect(await snapshots(relay.current)).toBe(before);
        for (const { tab } of places) expect((await tab.view()).modes).toEqual(["opening", "realtime"]);
      });

      test("another user in the same browser has a stream of their own", async () => {
        const context = await newContext();
        const anns = await openRooms(context, 2, { tabs: "ann" });
        const bobs = await openRooms(context, 2, { tabs: "bob" });
        expect(await streams(relay.current)).toBe(2);
        const talk = keepTalking([...anns, ...bobs]);
        await setTimeout(300);
        await talk.stop();
        await allSettled([...anns, ...bobs]);
        for (const { tab } of anns) await tab.page.close();
        await streamsBecome(relay.current, 1);
        await Promise.all(bobs.map(({ room }) => room.write("without Ann")));
        await allSettled(bobs);
      });
    },
  );
}

test("P3: a leader that crashes is replaced, for the rooms of all", async () => {
  chromium.allow(/^crash: /);
  const context = await chromium.newContext();
  const places = await openRooms(context, 4);
  const { leader, rest } = await leaderAmong(places);
  const talk = keepTalking(rest);
  const session = await context.newCDPSession(leader.tab.page);
  session.send("Page.crash").catch(() => {}); // it does not live to answer
  await leaderAmong(rest);
  await setTimeout(300);
  await talk.stop();
  await allSettled(rest);
  await streamsBecome(relay.current, 1);
});

test("P3: a frozen leader is replaced, for the rooms of all, and has its own when it is thawed", async () => {
  const context = await chromium.newContext();
  const places = await openRooms(context, 3);
  const { leader, rest } = await leaderAmong(places);
  const session = await context.newCDPSession(leader.tab.page);
  const frozen = new Promise((resolve) => session.once("Debugger.paused", resolve));
  await session.send("Debugger.enable");
  await session.send("Debugger.pause");
  await frozen;
  await Promise.all(places.map(({ room }) => room.write("while it is frozen")));
  await allSettled(rest);
  await leaderAmong(rest);
  await session.send("Debugger.disable");
  await allSettled(places);
  await streamsBecome(relay.current, 1);
  const talk = keepTalking(places);
  await setTimeout(300);
  await talk.stop();
  await allSettled(places);
});

test("a tab with two clients in its room: the later one has it at once, and the tab takes over from a frozen leader", async () => {
  const context = await chromium.newContext();
  const places = await openRooms(context, 2);
  const { leader, rest } = await leaderAmong(places);
  const [{ tab, room }] = rest as [Place];
  await room.write("one", "two");
  await settled(room, tab);
  await tab.follow({ spaceId: room.spaceId });
  await tab.reaches("realtime");
  await settled(room, tab);
  // Each client hears that the page is looked at, in the same moment.
  await tab.page.evaluate(() => {
    setInterval(() => document.dispatchEvent(new Event("visibilitychange")), 20);
  });
  const session = await context.newCDPSession(leader.tab.page);
  const frozen = new Promise((resolve) => session.once("Debugger.paused", resolve));
  await session.send("Debugger.enable");
  await session.send("Debugger.pause");
  await frozen;
  await room.write("while it is frozen");
  await settled(room, tab);
  await session.send("Debugger.disable");
  await streamsBecome(relay.current, 1);
  await allSettled(places);
});

test("who leads learns what a tab wants, and that it has gone", async () => {
  const context = await chromium.newContext();
  const places = await openRooms(context, 4);
  const { leader, rest } = await leaderAmong(places);
  const [closed, crashed, left] = rest as [Place, Place, Place];
  const dropped: string[] = [];
  leader.tab.page.on("request", (request) => {
    if (/\/api\/stream\/./.test(request.url())) dropped.push(...(request.postDataJSON().drop ?? []));
  });
  chromium.allow(/^crash: /);
  await closed.tab.page.close();
  const session = await context.newCDPSession(crashed.tab.page);
  session.send("Page.crash").catch(() => {}); // it does not live to answer
  await left.tab.page.evaluate(() => globalThis.spacePage.client.close());
  const gone = [closed, crashed, left].map(({ room }) => room.spaceId).sort();
  await expect.poll(() => [...dropped].sort()).toEqual(gone);
  await left.tab.follow({ spaceId: closed.room.spaceId });
  await closed.room.write("to whoever comes");
  await settled(closed.room, left.tab);
  expect(await streams(relay.current)).toBe(1);
});

test("two tabs in a room that who leads is not in: the later one has it all, and both have what comes", async () => {
  const context = await chromium.newContext();
  const places = await openRooms(context, 2);
  const { rest } = await leaderAmong(places);
  const [{ tab, room }] = rest as [Place];
  await room.write("one", "two");
  const { spaceId } = room;
  const quiet = await SpacePage.open(context, site.current.url, { spaceId });
  await settled(room, quiet);
  const writer = keepDoing(async (n) => {
    // So few that a state has them all.
    if (n < 50) await room.write(`meanwhile ${n}`);
    await setTimeout(5);
  });
  const late = [quiet];
  for (let n = 0; n < 3; n++) late.push(await SpacePage.open(context, site.current.url, { spaceId }));
  await Promise.all(late.map((one) => one.say("here I am")));
  await writer.stop();
  await settled(room, tab, ...late);
  expect(await streams(relay.current)).toBe(1);
  for (const one of late) await one.reaches("realtime");
});
