import type { BrowserContext } from "playwright-core";
import { afterEach, expect, test } from "vitest";
import { FAILED_REQUEST, useBrowser } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { useSite } from "../support/browser/site.js";
import { SpacePage, settled } from "../support/browser/space-page.js";
import { useDatabase } from "../support/postgres/database.js";
import { kept, stateKept } from "../support/relay/kept.js";
import { useRelay } from "../support/relay/relay.js";

const SLOW = 60_000;
const db = useDatabase();
const relay = useRelay(db);
const site = useSite({ entry: new URL("./pages/space.ts", import.meta.url), relay });
afterEach(() => {
  site.current.relayUrl = undefined;
});
const browser = useBrowser();

const API = "**/api/**";
/** Two ways to be without a relay; in both the page itself still loads. */
const AWAY = [
  [
    "a proxy that answers 502",
    () => {
      site.current.relayUrl = "http://127.0.0.1:1";
    },
  ],
  ["no network", (context: BrowserContext) => context.route(API, (route) => route.abort())],
] as const;

for (const [what, leave] of AWAY) {
  test(`a page that is loaded with ${what} shows the last known state`, { timeout: SLOW }, async () => {
    browser.allow(FAILED_REQUEST);
    const conversation = await Conversation.begin(db);
    const options = { spaceId: conversation.spaceId, persist: true };
    await conversation.write("one", "two");
    const context = await browser.newContext();
    const tab = await SpacePage.open(context, site.current.url, options);
    await settled(conversation, tab);
    const known = await tab.page.evaluate(() => globalThis.spacePage.client.getSnapshot().data);
    await stateKept(tab, conversation);

    await leave(context);
    await tab.reload();
    await tab.shows(["one", "two"]);
    await tab.reaches("cache");
    expect((await tab.view()).modes).not.toContain("realtime");
    expect(await tab.page.evaluate(() => globalThis.spacePage.client.getSnapshot().data)).toEqual(known);
    // A tab that comes now has it, too.
    const other = await SpacePage.open(context, site.current.url, options);
    await other.shows(["one", "two"]);

    await conversation.write("three");
    await context.unroute(API);
    site.current.relayUrl = undefined;
    await settled(conversation, tab, other);
  });
}

test("what was kept is on the page before the network has said anything", { timeout: SLOW }, async () => {
  const conversation = await Conversation.begin(db);
  const options = { spaceId: conversation.spaceId, persist: true };
  await conversation.write("one");
  const context = await browser.newContext();
  const tab = await SpacePage.open(context, site.current.url, options);
  await settled(conversation, tab);
  await stateKept(tab, conversation);
  await conversation.write("two");

  // The network hangs until it is let go.
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  await context.route(API, async (route) => {
    await held;
    await route.fallback();
  });
  await tab.reload();
  await tab.shows(["one"]);
  letGo();
  await settled(conversation, tab);
  // By what was missed, from the cursor that was kept: never empty in between.
  expect((await tab.view()).sizes).toEqual([0, 1, 2]);
});

test("what was erased while the page was away is dropped from what is kept", { timeout: SLOW }, async () => {
  browser.allow(FAILED_REQUEST);
  const conversation = await Conversation.begin(db);
  const options = { spaceId: conversation.spaceId, persist: true };
  await conversation.write("one", "my address", "three");
  const context = await browser.newContext();
  const tab = await SpacePage.open(context, site.current.url, options);
  await settled(conversation, tab);
  await stateKept(tab, conversation);
  await context.route(API, (route) => route.abort());
  await tab.reload();
  await tab.shows(["one", "my address", "three"]);
  expect(
    await conversation.session.value(
      `select sync.erase('intention', variadic array(
         select i.id from intentions i where i.location_id = $1 and i.content = '["my address"]'))::int`,
      [conversation.spaceId],
    ),
  ).toBe(1);
  expect(JSON.stringify(await kept(tab))).toContain("my address");

  await context.unroute(API);
  await tab.shows(["one", "three"]);
  await settled(conversation, tab);
  await stateKept(tab, conversation);
  expect(JSON.stringify(await kept(tab))).not.toContain("my address");
});

test("what is kept in another format is left alone until the network knows better", {
  timeout: SLOW,
}, async () => {
  browser.allow(FAILED_REQUEST);
  const conversation = await Conversation.begin(db);
  const options = { spaceId: conversation.spaceId, persist: true };
  await conversation.write("one");
  const context = await browser.newContext();
  const tab = await SpacePage.open(context, site.current.url, options);
  await settled(conversation, tab);
  await stateKept(tab, conversation);
  await tab.page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        indexedDB.open("spacefeed").onsuccess = ({ target }) => {
          const transaction = (target as IDBOpenDBRequest).result.transaction("kept", "readwrite");
          const store = transaction.objectStore("kept");
          store.openCursor().onsuccess = ({ target }) => {
            const cursor = (target as IDBRequest<IDBCursorWithValue | null>).result;
            cursor?.update({ format: 99, state: { intentions: "in another way" } });
            cursor?.continue();
          };
          transaction.oncomplete = () => resolve();
        };
      }),
  );
  await context.route(API, (route) => route.abort());
  await tab.reload();
  await expect.poll(async () => (await tab.view()).fault).toContain("does not answer");
  expect(await tab.view()).toMatchObject({ texts: [], version: null, mode: "opening" });
  await context.unroute(API);
  await settled(conversation, tab);
  await stateKept(tab, conversation);
});

test("without persist nothing is stored; spaces and users are kept apart", { timeout: SLOW }, async () => {
  browser.allow(FAILED_REQUEST);
  const one = await Conversation.begin(db);
  const two = await Conversation.begin(db);
  await one.write("in one");
  await two.write("in two");
  const context = await browser.newContext();
  const off = await SpacePage.open(context, site.current.url, { spaceId: one.spaceId });
  await settled(one, off);
  await off.say("and nothing of this");
  await settled(one, off);
  expect(await kept(off)).toBeNull();

  const open = (spaceId: string, tabs: string | boolean) =>
    SpacePage.open(context, site.current.url, { spaceId, tabs, persist: true });
  const ann = await open(one.spaceId, "ann");
  await settled(one, ann);
  await stateKept(ann, one);
  await context.route(API, (route) => route.abort());
  // Neither another user nor another space gets what Ann has.
  for (const other of [await open(one.spaceId, "bob"), await open(two.spaceId, "ann")]) {
    await expect.poll(async () => (await other.view()).fault).toContain("does not answer");
    expect((await other.view()).texts).toEqual([]);
  }
  await ann.reload();
  await ann.shows(["in one", "and nothing of this"]);
});

const STORAGES = {
  "refuses to open": () => {
    IDBFactory.prototype.open = () => {
      throw new DOMException("not in private mode", "SecurityError");
    };
  },
  "never answers": () => {
    IDBFactory.prototype.open = () => ({}) as IDBOpenDBRequest;
  },
};

for (const [what, spoil] of Object.entries(STORAGES)) {
  test(`a storage that ${what} costs what it would have kept, and nothing else`, async () => {
    const conversation = await Conversation.begin(db);
    await conversation.write("one");
    const context = await browser.newContext();
    await context.addInitScript(spoil);
    const options = { spaceId: conversation.spaceId, persist: true };
    const tab = await SpacePage.open(context, site.current.url, options);
    await settled(conversation, tab);
    await tab.say("two");
    await settled(conversation, tab);
  });
}

test("of a long conversation the newest messages are kept, and the older ones load after them", {
  timeout: SLOW,
}, async () => {
  const conversation = await Conversation.begin(db);
  await conversation.session.query(
    `insert into intentions (location_id, content)
     select $1, jsonb_build_array('message ' || n) from generate_series(1, 450) as n`,
    [conversation.spaceId],
  );
  const options = { spaceId: conversation.spaceId, persist: true };
  const context = await browser.newContext();
  const tab = await SpacePage.open(context, site.current.url, options);
  await tab.reaches("realtime");
  await tab.page.evaluate(() => globalThis.spacePage.loadAll());
  await settled(conversation, tab);
  await conversation.write("the newest");
  await stateKept(tab, conversation);
  await tab.reload();
  await expect.poll(async () => (await tab.view()).texts.length).toBe(200);
  expect((await tab.view()).hasMore).toBe(true);
  await tab.page.evaluate(() => globalThis.spacePage.loadAll());
  await settled(conversation, tab);
});
