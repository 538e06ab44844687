import type { BrowserContext } from "playwright-core";
import { afterEach, expect, test } from "vitest";
import { FAILED_REQUEST, useBrowser } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { useSite } from "../support/browser/site.js";
import { type PageOptions, SpacePage, settled } from "../support/browser/space-page.js";
import { useDatabase } from "../support/postgres/database.js";
import { useRelay } from "../support/relay/relay.js";

const SLOW = 60_000;
const db = useDatabase();
const relay = useRelay(db);
const site = useSite({ entry: new URL("./pages/space.ts", import.meta.url), relay });
afterEach(() => {
  site.current.relayUrl = undefined;
});
const browser = useBrowser();

/**
 * A page whose relay was away and is back, and whose clock stands still: no pause ever ends, no poll is ever due.
 * What brings the line back is what the test does, and not the time that it takes.
 */
async function stranded(context: BrowserContext, options: Partial<PageOptions> = {}) {
  browser.allow(FAILED_REQUEST);
  const conversation = await Conversation.begin(db);
  const tab = await SpacePage.visit(context, site.current.url);
  await tab.page.clock.install();
  await tab.follow({ spaceId: conversation.spaceId, ...options });
  await conversation.write("before");
  await settled(conversation, tab);
  site.current.relayUrl = "http://127.0.0.1:1";
  // A minute is gone at once, in which the line was silent.
  await tab.page.clock.pauseAt(Date.now() + 60_000);
  await tab.reaches("cache");
  await conversation.write("meanwhile");
  await tab.begin("said meanwhile");
  site.current.relayUrl = undefined;
  expect(await tab.view()).toMatchObject({ mode: "cache", pending: ["said meanwhile"] });
  return { conversation, tab };
}

const SIGNS: Record<string, () => unknown> = {
  "the browser is online again": () => dispatchEvent(new Event("online")),
  "the page is looked at again": () => document.dispatchEvent(new Event("visibilitychange")),
  "the page is back from the cache of pages": () => {
    for (const type of ["pagehide", "pageshow"]) {
      dispatchEvent(new PageTransitionEvent(type, { persisted: true }));
    }
  },
};

for (const [sign, give] of Object.entries(SIGNS)) {
  test(`the line comes back when ${sign}, and what waits is sent`, { timeout: SLOW }, async () => {
    const { conversation, tab } = await stranded(await browser.newContext());
    await tab.page.evaluate(give);
    await tab.reaches("realtime");
    await tab.shows(["before", "meanwhile", "said meanwhile"]);
    // An attempt to send may have failed just then: it makes a pause, as it should.
    await tab.page.clock.resume();
    await expect.poll(() => conversation.texts()).toHaveLength(3);
    await settled(conversation, tab);
  });
}

test("a page that is left and come back to goes on", { timeout: SLOW }, async () => {
  browser.allow(FAILED_REQUEST);
  const conversation = await Conversation.begin(db);
  const options = { spaceId: conversation.spaceId, persist: true };
  const tab = await SpacePage.open(await browser.newContext(), site.current.url, options);
  await conversation.write("before");
  await settled(conversation, tab);
  await tab.page.goto(`${site.current.url}/elsewhere`);
  await conversation.write("meanwhile");
  await tab.page.goBack();
  await tab.follow(options);
  await settled(conversation, tab);
  await tab.say("after");
  await settled(conversation, tab);
  await tab.reaches("realtime");
});
