import { afterEach, expect, test } from "vitest";
import { FAILED_REQUEST, useBrowser } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { useSite } from "../support/browser/site.js";
import { SpacePage, settled } from "../support/browser/space-page.js";
import { useDatabase } from "../support/postgres/database.js";
import { HttpProxy } from "../support/relay/http-proxy.js";
import { useRelay } from "../support/relay/relay.js";

const db = useDatabase();
const relay = useRelay(db, { corsOrigins: ["*"] });
const entry = new URL("./pages/space.ts", import.meta.url);
const site = useSite({ entry, relay });
// Before the browser's own: the pages are closed first.
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
  site.current.relayUrl = undefined;
});
const browser = useBrowser();

/** Stands before the relay, and knows the Authorization of each request, by path. */
async function doorman() {
  const proxy = await HttpProxy.before(relay.current.url);
  ends.push(() => proxy.close());
  const of = (path: string) => proxy.of(path).map(({ headers }) => headers.authorization);
  return { url: proxy.url, of, cut: () => proxy.cut() };
}

test("headers go with everything, the stream too, and are asked for anew with each attempt", async () => {
  browser.allow(FAILED_REQUEST);
  const door = await doorman();
  site.current.relayUrl = door.url;
  const conversation = await Conversation.begin(db);
  const tab = await SpacePage.visit(await browser.newContext(), site.current.url);
  await tab.page.evaluate((spaceId) => {
    let asked = 0;
    const headers = async () => ({ Authorization: `Bearer ${++asked}` });
    globalThis.spacePage.open({ spaceId, headers });
  }, conversation.spaceId);
  await tab.reaches("realtime");
  expect(door.of("/api/stream")).toEqual(["Bearer 1"]);
  await tab.say("hello");
  expect(door.of("/api/intentions")).toEqual(["Bearer 2"]);
  await tab.page.evaluate(() => globalThis.spacePage.client.refresh());
  expect(door.of("/api/sync")).toEqual(["Bearer 3"]);
  door.cut();
  await expect.poll(() => door.of("/api/stream").length).toBeGreaterThan(1);
  const later = [...door.of("/api/stream").slice(1), ...door.of("/api/sync").slice(1)];
  for (const authorization of later) expect(authorization).toMatch(/^Bearer ([4-9]|\d\d)$/);
  await tab.reaches("realtime");
  await settled(conversation, tab);
});

test("a relay at another origin: with headers, stream, polls and changes", { timeout: 60_000 }, async () => {
  browser.allow(FAILED_REQUEST);
  const door = await doorman();
  const conversation = await Conversation.begin(db);
  const context = await browser.newContext();
  const headers = { Authorization: "Bearer abc" };
  const options = { spaceId: conversation.spaceId, url: `${door.url}/`, headers };
  const tab = await SpacePage.open(context, site.current.url, options);
  await tab.reaches("realtime");
  await tab.say("across");
  await conversation.write("from SQL");
  await settled(conversation, tab);
  // The state at the cursor is asked for with If-None-Match, which takes a preflight.
  await tab.page.evaluate(() => globalThis.spacePage.client.refresh());
  expect((await tab.view()).error).toBeNull();
  await context.route("**/api/stream?*", (route) => route.abort());
  door.cut();
  await tab.reaches("polling");
  await conversation.write("polled");
  await settled(conversation, tab);
  for (const path of ["/api/stream", "/api/sync", "/api/intentions"]) {
    // A preflight has none.
    expect(door.of(path).filter((authorization) => authorization !== undefined)).toContain("Bearer abc");
  }
});
