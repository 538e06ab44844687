import { setTimeout } from "node:timers/promises";
import type { BrowserContext } from "playwright-core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FAILED_REQUEST, useBrowser } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { useSite } from "../support/browser/site.js";
import { leaderOf, SpacePage, settled } from "../support/browser/space-page.js";
import { useDatabase } from "../support/postgres/database.js";
import { keepDoing } from "../support/process/keep-doing.js";
import { useRelay } from "../support/relay/relay.js";
import { streamsBecome } from "../support/relay/relay-metrics.js";
import { TcpProxy } from "../support/relay/tcp-proxy.js";

const SLOW = 90_000;
const db = useDatabase();
// Rare, so that a page which the machine keeps waiting does not take its line for dead.
const relay = useRelay(db, { heartbeatMs: 10_000 });
const site = useSite({ entry: new URL("./pages/space.ts", import.meta.url), relay });
// Before the browser's own: the pages are closed first.
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
  site.current.relayUrl = undefined;
});
const browser = useBrowser();
// Those of the test before may be on their way out.
beforeEach(() => streamsBecome(relay.current, 0));

/** Tabs of one browser on one space, of which one leads. */
async function tabsOn(conversation: Conversation, count: number) {
  const context = await browser.newContext();
  const { spaceId } = conversation;
  const tabs = await Promise.all(
    Array.from({ length: count }, () => SpacePage.open(context, site.current.url, { spaceId })),
  );
  for (const tab of tabs) await tab.reaches("realtime");
  const leader = await leaderOf(tabs);
  return { context, leader, tabs, rest: tabs.filter((tab) => tab !== leader) };
}

/** Writes without a pause until it is stopped. */
function keepWriting(conversation: Conversation) {
  return keepDoing(async (n) => {
    await conversation.write(`message ${n}`);
    await setTimeout(5);
  });
}

/**
 * Freezes a tab, as browsers do with one that nobody has looked at for long: nothing in it runs, and what comes for
 * it waits. Returns what thaws it. (A headless page is always visible to Chromium, which then refuses to freeze it;
 * the debugger stops the same.)
 */
async function freeze(context: BrowserContext, { page }: SpacePage): Promise<() => Promise<unknown>> {
  const session = await context.newCDPSession(page);
  const frozen = new Promise((resolve) => session.once("Debugger.paused", resolve));
  await session.send("Debugger.enable");
  await session.send("Debugger.pause");
  await frozen;
  return () => session.send("Debugger.disable");
}

/** A tab that nobody looks at: it does not take the line from one that is silent. */
async function hide(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
  });
}

test("leaders are closed one after the other while somebody writes: nothing is lost or doubled", {
  timeout: SLOW,
}, async () => {
  const conversation = await Conversation.begin(db);
  const { tabs } = await tabsOn(conversation, 6);
  const writer = keepWriting(conversation);
  let left = tabs;
  while (left.length > 2) {
    const leader = await leaderOf(left);
    const said = leader.begin("the last words of a leader");
    await setTimeout(100);
    await said;
    await leader.page.close();
    left = left.filter((tab) => tab !== leader);
  }
  await leaderOf(left);
  await writer.stop();
  await settled(conversation, ...left);
  await streamsBecome(relay.current, 1);
  // The others have gone on where they were: from their own cursors, never from nothing.
  for (const tab of left)
    expect((await tab.view()).sizes.filter((size) => size === 0).length).toBeLessThan(2);
});

test("when the leader goes, the others stay connected in the eyes of whoever looks", {
  timeout: SLOW,
}, async () => {
  const conversation = await Conversation.begin(db);
  const { leader, rest } = await tabsOn(conversation, 3);
  await leader.page.close();
  await leaderOf(rest);
  await conversation.write("after");
  await settled(conversation, ...rest);
  for (const tab of rest) expect((await tab.view()).modes).toEqual(["opening", "realtime"]);
});

test("a frozen leader is replaced, and has missed nothing when it is thawed", { timeout: SLOW }, async () => {
  const conversation = await Conversation.begin(db);
  const { context, leader, rest } = await tabsOn(conversation, 3);
  await conversation.write("before");
  await settled(conversation, leader, ...rest);
  const thaw = await freeze(context, leader);
  await conversation.write("while it is frozen");
  await settled(conversation, ...rest);
  await leaderOf(rest);
  await rest[0]?.say("by another");
  await conversation.write("and more");
  await settled(conversation, ...rest);

  // Nobody writes any more: what it has missed must reach it all the same.
  await thaw();
  await settled(conversation, leader, ...rest);
  await streamsBecome(relay.current, 1);
  await conversation.write("for all of them");
  await leader.say("from the one that was frozen");
  await settled(conversation, leader, ...rest);
  for (const tab of [leader, ...rest]) await tab.reaches("realtime");
  await streamsBecome(relay.current, 1);
});

test("a frozen leader whose own stream has gone has what it missed from the next one", {
  timeout: SLOW,
}, async () => {
  browser.allow(FAILED_REQUEST);
  const { proxy, url } = await TcpProxy.before(relay.current.url);
  ends.push(() => proxy.close());
  site.current.relayUrl = url;
  const conversation = await Conversation.begin(db);
  const { context, leader, rest } = await tabsOn(conversation, 2);
  await conversation.write("before");
  await settled(conversation, leader, ...rest);
  const thaw = await freeze(context, leader);
  proxy.cut();
  await conversation.write("while it is frozen");
  await settled(conversation, ...rest);
  await leaderOf(rest);
  await thaw();
  await settled(conversation, leader, ...rest);
  for (const tab of [leader, ...rest]) await tab.reaches("realtime");
  await streamsBecome(relay.current, 1);
});

test("a tab that comes while the leader is frozen is not forgotten by the next one", {
  timeout: SLOW,
}, async () => {
  const conversation = await Conversation.begin(db);
  await conversation.write("before");
  const { context, leader, rest } = await tabsOn(conversation, 2);
  await settled(conversation, leader, ...rest);
  await freeze(context, leader);
  // It asks, and nobody answers; it is not looked at, so that it is not the one to take over.
  await hide(context);
  const { spaceId } = conversation;
  const late = await SpacePage.open(context, site.current.url, { spaceId });
  expect((await late.view()).texts).toEqual([]);
  await leaderOf(rest);
  // Nothing is written: it gets what there is.
  await settled(conversation, late);
  await late.reaches("realtime");
});

test("a tab that comes while a leader goes gets the state", { timeout: SLOW }, async () => {
  const conversation = await Conversation.begin(db);
  await conversation.write("before");
  const { context, tabs } = await tabsOn(conversation, 3);
  let left = tabs;
  for (let n = 0; n < 5; n++) {
    const leader = await leaderOf(left);
    const [late] = await Promise.all([
      SpacePage.open(context, site.current.url, { spaceId: conversation.spaceId }),
      setTimeout(n * 30).then(() => leader.page.close()),
    ]);
    left = [...left.filter((tab) => tab !== leader), late];
    await settled(conversation, ...left);
  }
});
