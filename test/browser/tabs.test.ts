import { beforeEach, expect, test } from "vitest";
import { FAILED_REQUEST, useBrowser } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { useSite } from "../support/browser/site.js";
import { leaderOf, type PageOptions, SpacePage, settled } from "../support/browser/space-page.js";
import { useDatabase } from "../support/postgres/database.js";
import { useRelay } from "../support/relay/relay.js";
import { snapshots, streams, streamsBecome } from "../support/relay/relay-metrics.js";

const SLOW = 60_000;
const db = useDatabase();
// Rare, so that a page which the machine keeps waiting does not take its line for dead.
const relay = useRelay(db, { heartbeatMs: 10_000 });
const site = useSite({ entry: new URL("./pages/space.ts", import.meta.url), relay });
const browser = useBrowser();
// Those of the test before may be on their way out.
beforeEach(() => streamsBecome(relay.current, 0));

test("ten tabs have one stream; each sees what is written, and each can write", {
  timeout: SLOW,
}, async () => {
  const conversation = await Conversation.begin(db);
  const context = await browser.newContext();
  const { spaceId } = conversation;
  const before = await snapshots(relay.current);
  const tabs = await Promise.all(
    Array.from({ length: 10 }, () => SpacePage.open(context, site.current.url, { spaceId })),
  );
  for (const tab of tabs) await tab.reaches("realtime");
  expect(await streams(relay.current)).toBe(1);
  expect(await snapshots(relay.current)).toBe(before + 1);
  await conversation.write("to all ten");
  await settled(conversation, ...tabs);
  await Promise.all(tabs.map((tab, n) => tab.say(`${n} a`, `${n} b`)));
  expect(await conversation.texts()).toHaveLength(21);
  await settled(conversation, ...tabs);
  expect(await streams(relay.current)).toBe(1);
  expect(tabs.filter((tab) => tab.hasLine)).toHaveLength(1);
  for (const tab of tabs) expect((await tab.view()).modes).toEqual(["opening", "realtime"]);
});

test("a tab that comes later has the state from the one that leads, even without a relay", {
  timeout: SLOW,
}, async () => {
  browser.allow(FAILED_REQUEST);
  const conversation = await Conversation.begin(db);
  await conversation.write("one", "two");
  const context = await browser.newContext();
  const { spaceId } = conversation;
  const first = await SpacePage.open(context, site.current.url, { spaceId });
  await settled(conversation, first);
  const before = await snapshots(relay.current);
  const second = await SpacePage.open(context, site.current.url, { spaceId });
  await settled(conversation, second);
  await second.reaches("realtime");
  expect(await snapshots(relay.current)).toBe(before);
  expect(await streams(relay.current)).toBe(1);

  await context.route("**/api/**", (route) => route.abort());
  await context.setOffline(true);
  await first.reaches("cache");
  await context.setOffline(false);
  const third = await SpacePage.open(context, site.current.url, { spaceId });
  await third.shows(["one", "two"]);
  expect(await third.view()).toMatchObject({ mode: "cache", connected: false });
  await context.unroute("**/api/**");
  await conversation.write("three");
  await settled(conversation, first, second, third);
  await streamsBecome(relay.current, 1);
});

test("with tabs: false each has a stream of its own", async () => {
  const conversation = await Conversation.begin(db);
  const context = await browser.newContext();
  const options = { spaceId: conversation.spaceId, tabs: false };
  const tabs = [];
  for (let n = 0; n < 3; n++) tabs.push(await SpacePage.open(context, site.current.url, options));
  for (const tab of tabs) await tab.reaches("realtime");
  expect(await streams(relay.current)).toBe(3);
  await tabs[0]?.say("hello");
  await conversation.write("hello from SQL");
  await settled(conversation, ...tabs);
  await tabs[0]?.page.close();
  await streamsBecome(relay.current, 2);
  await conversation.write("and then there were two");
  await settled(conversation, ...tabs.slice(1));
});

test("tabs of two users and of two browsers share nothing; those of two spaces share the stream of their user", {
  timeout: SLOW,
}, async () => {
  const here = await Conversation.begin(db);
  const there = await Conversation.begin(db);
  const context = await browser.newContext();
  const elsewhere = await browser.newContext();
  const open = async (count: number, options: PageOptions, where = context) => {
    const tabs = [];
    for (let n = 0; n < count; n++) tabs.push(await SpacePage.open(where, site.current.url, options));
    return tabs;
  };
  const anns = await open(2, { spaceId: here.spaceId, tabs: "ann" });
  const bobs = await open(2, { spaceId: here.spaceId, tabs: "bob" });
  const theirs = await open(2, { spaceId: there.spaceId, tabs: "ann" });
  const others = await open(1, { spaceId: here.spaceId, tabs: "ann" }, elsewhere);
  const groups = [anns, bobs, theirs, others];
  for (const tab of groups.flat()) await tab.reaches("realtime");
  expect(await streams(relay.current)).toBe(3);
  for (const tabs of [[...anns, ...theirs], bobs, others]) await leaderOf(tabs);
  await anns[1]?.say("here");
  await theirs[1]?.say("there");
  await settled(here, ...anns, ...bobs, ...others);
  await settled(there, ...theirs);
  // When Ann's tabs go, only theirs goes.
  for (const tab of [...anns, ...theirs]) await tab.page.close();
  await streamsBecome(relay.current, 2);
  await here.write("without Ann");
  await settled(here, ...bobs, ...others);
});

test("a page without locks works on its own", async () => {
  const conversation = await Conversation.begin(db);
  const context = await browser.newContext();
  await context.addInitScript(() => {
    delete (Navigator.prototype as { locks?: unknown }).locks;
  });
  const options = { spaceId: conversation.spaceId, persist: true };
  const tabs = [];
  for (let n = 0; n < 2; n++) tabs.push(await SpacePage.open(context, site.current.url, options));
  expect(await tabs[0]?.page.evaluate(() => typeof navigator.locks)).toBe("undefined");
  for (const tab of tabs) await tab.reaches("realtime");
  expect(await streams(relay.current)).toBe(2);
  await tabs[0]?.say("hello");
  await conversation.write("hello from SQL");
  await settled(conversation, ...tabs);
});

test("a page that is no secure context works on its own", async () => {
  const conversation = await Conversation.begin(db);
  const context = await browser.newContext();
  // The same site by an address that no browser trusts.
  const url = site.current.url.replace("127.0.0.1", "0.0.0.0");
  const tab = await SpacePage.open(context, url, { spaceId: conversation.spaceId, persist: true });
  expect(
    await tab.page.evaluate(() => [isSecureContext, "locks" in navigator, "randomUUID" in crypto]),
  ).toEqual([false, false, false]);
  await tab.reaches("realtime");
  await tab.say("hello");
  await conversation.write("hello from SQL");
  await settled(conversation, tab);
});

test("a client that is closed leaves the line to the others, and the page to itself", async () => {
  const conversation = await Conversation.begin(db);
  const { spaceId } = conversation;
  const context = await browser.newContext();
  const tabs = [];
  for (let n = 0; n < 2; n++) tabs.push(await SpacePage.open(context, site.current.url, { spaceId }));
  for (const tab of tabs) await tab.reaches("realtime");
  const leader = await leaderOf(tabs);
  const other = tabs.find((tab) => tab !== leader) as SpacePage;
  await leader.page.evaluate(() => globalThis.spacePage.client.close());
  await conversation.write("after");
  await settled(conversation, other);
  expect(await leaderOf(tabs)).toBe(other);
  expect((await leader.view()).texts).toEqual([]);
  await other.page.evaluate(() => globalThis.spacePage.client.close());
  await streamsBecome(relay.current, 0);
  // And a new one can be opened where one was closed.
  await leader.follow({ spaceId });
  await settled(conversation, leader);
});
