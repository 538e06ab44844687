import { afterEach, expect, test } from "vitest";
import { FAILED_REQUEST, useBrowser } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { useSite } from "../support/browser/site.js";
import { SpacePage, settled } from "../support/browser/space-page.js";
import { useDatabase } from "../support/postgres/database.js";
import { useCommand } from "../support/process/command.js";
import { useRelay } from "../support/relay/relay.js";
import { TcpProxy } from "../support/relay/tcp-proxy.js";

const SLOW = 90_000;
const entry = new URL("./pages/space.ts", import.meta.url);
const db = useDatabase();
const relay = useRelay(db);
const site = useSite({ entry, relay });
const spacefeed = useCommand();
// Before the browser's own: the pages are closed first.
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
  site.current.relayUrl = undefined;
});
const browser = useBrowser();

/** A relay in a process of its own: one that can be killed. */
async function serve(port = "0") {
  const env = { DATABASE_URL: db.url, PORT: port, LOG_LEVEL: "silent", HEARTBEAT_MS: "500" };
  const command = spacefeed(["serve"], env);
  const [, url] = await command.until("stdout", /Spacefeed is at (\S+)/);
  return { command, url: new URL(url as string) };
}

test("P3: the relay's process is killed and comes back: nobody misses anything", {
  timeout: SLOW,
}, async () => {
  browser.allow(FAILED_REQUEST);
  const first = await serve();
  site.current.relayUrl = first.url.href;
  const conversation = await Conversation.begin(db);
  const { spaceId } = conversation;
  await conversation.write("before");
  const ann = await SpacePage.open(await browser.newContext(), site.current.url, { spaceId });
  const bob = await SpacePage.open(await browser.newContext(), site.current.url, { spaceId, tabs: false });
  await settled(conversation, ann, bob);

  first.command.child.kill("SIGKILL");
  await first.command.end;
  await conversation.write("while", "it was", "away");
  for (const tab of [ann, bob]) await tab.reaches("cache");
  await bob.begin("said into the void", "twice");
  await bob.shows(["before", "said into the void", "twice"]);
  const { pending, fault, connected } = await bob.view();
  expect({ pending, connected }).toEqual({ pending: ["said into the void", "twice"], connected: false });
  expect(fault).toContain("502");

  const second = await serve(first.url.port);
  expect(second.url.href).toBe(first.url.href);
  for (const tab of [ann, bob]) await tab.reaches("realtime");
  await conversation.write("after");
  await expect.poll(() => conversation.texts()).toHaveLength(7);
  await settled(conversation, ann, bob);
  for (const tab of [ann, bob]) {
    const { modes, error, fault } = await tab.view();
    expect(modes.join(" ")).toMatch(/^opening realtime polling cache( polling cache)*( polling)? realtime$/);
    expect([error, fault]).toEqual([null, null]);
  }
});

test("where streams do not get through it polls, and writes", { timeout: SLOW }, async () => {
  browser.allow(FAILED_REQUEST);
  const conversation = await Conversation.begin(db);
  await conversation.write("old");
  const context = await browser.newContext();
  await context.route("**/api/stream?*", (route) => route.fulfill({ status: 503 }));
  const tab = await SpacePage.open(context, site.current.url, { spaceId: conversation.spaceId });
  await tab.reaches("polling");
  await settled(conversation, tab);
  expect((await tab.view()).fault).toMatch(/^no live updates: .*503/);
  await conversation.write("new");
  await settled(conversation, tab);
  await tab.say("mine");
  await settled(conversation, tab);
  await context.unroute("**/api/stream?*");
  await tab.reaches("realtime");
  expect((await tab.view()).modes).toEqual(["opening", "polling", "realtime"]);
});

test("a line that goes dead without ending is noticed, and made anew", { timeout: SLOW }, async () => {
  const { proxy, url } = await TcpProxy.before(relay.current.url);
  ends.push(() => proxy.close());
  site.current.relayUrl = url;
  const conversation = await Conversation.begin(db);
  const { spaceId } = conversation;
  const tab = await SpacePage.open(await browser.newContext(), site.current.url, { spaceId });
  await conversation.write("heard");
  await settled(conversation, tab);
  // Half-open: no connection ends, and none brings anything.
  proxy.swallow();
  await tab.reaches("polling");
  expect((await tab.view()).fault).toContain("silent");
  await conversation.write("while nothing came");
  proxy.restore();
  await tab.reaches("realtime");
  await settled(conversation, tab);
});
