import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { FAILED_REQUEST, useBrowser } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { useSite } from "../support/browser/site.js";
import { SpacePage, settled } from "../support/browser/space-page.js";
import { useDatabase } from "../support/postgres/database.js";
import { changesKept, kept, stateKept } from "../support/relay/kept.js";
import { useRelay } from "../support/relay/relay.js";

const SLOW = 60_000;
const API = "**/api/**";
/** Without these nothing is sent, and the line is as it was. */
const WRITES = "**/api/intentions";
const db = useDatabase();
const relay = useRelay(db);
const site = useSite({ entry: new URL("./pages/space.ts", import.meta.url), relay });
const browser = useBrowser();

for (const how of ["reloaded", "closed"] as const) {
  test(`changes made offline in a tab that is ${how} are sent by the next page, once`, {
    timeout: SLOW,
  }, async () => {
    browser.allow(FAILED_REQUEST);
    const conversation = await Conversation.begin(db);
    const options = { spaceId: conversation.spaceId, persist: true };
    await conversation.write("before");
    const context = await browser.newContext();
    const tab = await SpacePage.open(context, site.current.url, options);
    await settled(conversation, tab);
    await stateKept(tab, conversation);
    await context.route(API, (route) => route.abort());
    await tab.page.evaluate((id) => {
      const { client } = globalThis.spacePage;
      void client.createIntention({ id, content: ["a draft"], state: "draft" });
      void client.createIntention({ content: ["two"] });
      void client.updateIntention(id, { content: ["one"], state: "complete" });
    }, `draft, ${how}`);
    await changesKept(tab, ["a draft", "two", "one"]);

    let next = tab;
    if (how === "closed") {
      await tab.page.close();
      next = await SpacePage.open(context, site.current.url, options);
    } else {
      await tab.reload();
    }
    // Still without a network: they show, and wait on.
    await next.shows(["before", "one", "two"]);
    expect((await next.view()).pending).toEqual(["one", "two"]);
    await changesKept(next, ["a draft", "two", "one"]);

    await context.unroute(API);
    await expect.poll(() => conversation.texts()).toEqual(["before", "one", "two"]);
    await settled(conversation, next);
    await changesKept(next, []);
    // Nothing is left to be sent again.
    await next.reload();
    await next.say("after");
    await settled(conversation, next);
    expect(await conversation.texts()).toEqual(["before", "one", "two", "after"]);
  });
}

test("changes of a tab that lives are its own: another leaves them, and takes them when it has gone", {
  timeout: SLOW,
}, async () => {
  browser.allow(FAILED_REQUEST);
  const conversation = await Conversation.begin(db);
  const options = { spaceId: conversation.spaceId, persist: true };
  const context = await browser.newContext();
  const cut = await SpacePage.open(context, site.current.url, options);
  await settled(conversation, cut);
  // Only this tab cannot write.
  await cut.page.route(WRITES, (route) => route.abort());
  await cut.begin("mine to send");
  await changesKept(cut, ["mine to send"]);

  const other = await SpacePage.open(context, site.current.url, options);
  await other.say("from another tab");
  await other.reaches("realtime");
  // Enough for what must not happen.
  await setTimeout(1_000);
  expect(await conversation.texts()).toEqual(["from another tab"]);
  await changesKept(cut, ["mine to send"]);

  await cut.page.close();
  const next = await SpacePage.open(context, site.current.url, options);
  await expect.poll(() => conversation.texts()).toEqual(["from another tab", "mine to send"]);
  await settled(conversation, other, next);
  await changesKept(next, []);
});

test("tabs that come back together take over what was left, each change once", {
  timeout: SLOW,
}, async () => {
  browser.allow(FAILED_REQUEST);
  const conversation = await Conversation.begin(db);
  const options = { spaceId: conversation.spaceId, persist: true };
  const context = await browser.newContext();
  await context.route(API, (route) => route.abort());
  const left = [1, 2, 3].map((n) => [`${n} a`, `${n} b`]);
  for (const [n, texts] of left.entries()) {
    const tab = await SpacePage.open(context, site.current.url, options);
    await tab.begin(...texts);
    const all = left.slice(0, n + 1).flat();
    await expect.poll(async () => (await tab.view()).pending.sort()).toEqual(all);
    await changesKept(tab, all);
    await tab.page.close();
  }
  await context.unroute(API);
  const tabs = await Promise.all([1, 2, 3].map(() => SpacePage.open(context, site.current.url, options)));
  await expect.poll(async () => (await conversation.texts()).sort()).toEqual(left.flat());
  await settled(conversation, ...tabs);
  // Those of one tab are in their order.
  const said = await conversation.texts();
  for (const [a, b] of left) expect(said.indexOf(a as string)).toBeLessThan(said.indexOf(b as string));
});

test("a change that was stored, but whose answer was lost with the tab, is not stored twice", {
  timeout: SLOW,
}, async () => {
  browser.allow(FAILED_REQUEST);
  const conversation = await Conversation.begin(db);
  const options = { spaceId: conversation.spaceId, persist: true };
  const context = await browser.newContext();
  const tab = await SpacePage.open(context, site.current.url, options);
  await settled(conversation, tab);
  await tab.page.route(WRITES, async (route) => {
    await route.fetch();
    await route.abort();
  });
  await tab.begin("once");
  await changesKept(tab, ["once"]);
  await expect.poll(() => conversation.texts()).toEqual(["once"]);
  await tab.page.close();
  const next = await SpacePage.open(context, site.current.url, options);
  await next.say("after");
  await settled(conversation, next);
  expect(await conversation.texts()).toEqual(["once", "after"]);
  await changesKept(next, []);
});

test("spaces whose IDs begin alike do not take one another's changes", { timeout: SLOW }, async () => {
  browser.allow(FAILED_REQUEST);
  const room = await Conversation.begin(db, "room");
  const second = await Conversation.begin(db, "room 2");
  const context = await browser.newContext();
  const cut = await SpacePage.open(context, site.current.url, { spaceId: "room 2", persist: true });
  await settled(second, cut);
  await cut.page.route(WRITES, (route) => route.abort());
  await cut.begin("for room 2");
  await changesKept(cut, ["for room 2"]);
  const other = await SpacePage.open(context, site.current.url, { spaceId: "room", persist: true });
  await other.say("for room");
  await settled(room, other);
  expect(await room.texts()).toEqual(["for room"]);
  await changesKept(cut, ["for room 2"]);
  await cut.page.unroute(WRITES);
  await expect.poll(() => second.texts()).toEqual(["for room 2"]);
  await settled(second, cut);
});

test("without persist, what was not sent goes with the tab", { timeout: SLOW }, async () => {
  browser.allow(FAILED_REQUEST);
  const conversation = await Conversation.begin(db);
  const options = { spaceId: conversation.spaceId };
  const context = await browser.newContext();
  const tab = await SpacePage.open(context, site.current.url, options);
  await settled(conversation, tab);
  await context.route(API, (route) => route.abort());
  await tab.begin("unheard");
  await context.unroute(API);
  await context.route(WRITES, (route) => route.abort());
  await tab.reload();
  await context.unroute(WRITES);
  await tab.say("heard");
  await settled(conversation, tab);
  expect(await kept(tab)).toBeNull();
});
