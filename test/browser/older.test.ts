import { expect, test } from "vitest";
import { FAILED_REQUEST, useBrowser } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { useSite } from "../support/browser/site.js";
import { SpacePage, settled } from "../support/browser/space-page.js";
import { useDatabase } from "../support/postgres/database.js";
import { useRelay } from "../support/relay/relay.js";

const SLOW = 60_000;
const db = useDatabase();
const relay = useRelay(db);
const site = useSite({ entry: new URL("./pages/space.ts", import.meta.url), relay });
const browser = useBrowser();

/** Messages as they were written: some alone, some many in one instant, where only their IDs tell the order. */
async function manyMessages(count: number): Promise<Conversation> {
  const conversation = await Conversation.begin(db);
  await conversation.session.query(
    `insert into intentions (location_id, content, created_at)
     select $1, jsonb_build_array('message ' || n), now() - interval '1 day' + n / 300 * interval '1 minute'
     from generate_series(1, $2::int) as n`,
    [conversation.spaceId, count],
  );
  return conversation;
}

test("5,000 messages load page by page, while somebody writes and changes old ones", {
  timeout: SLOW,
}, async () => {
  const conversation = await manyMessages(5_000);
  const { spaceId, session } = conversation;
  const tab = await SpacePage.open(await browser.newContext(), site.current.url, { spaceId });
  await tab.reaches("realtime");
  await expect.poll(async () => (await tab.view()).texts.length).toBe(100);
  expect(await tab.view()).toMatchObject({ hasMore: true });
  const all = tab.page.evaluate(() => globalThis.spacePage.loadAll());
  for (let n = 0; n < 20; n++) {
    await conversation.write(`meanwhile ${n}`);
    await session.query(
      `update intentions set content = jsonb_build_array(content->>0 || ', mended')
       where location_id = $1 and content->>0 = $2`,
      [spaceId, `message ${5_000 - n * 150}`],
    );
  }
  await session.query(
    "delete from intentions where location_id = $1 and content->>0 in ('message 1', 'message 2500', 'message 4999')",
    [spaceId],
  );
  await all;
  await settled(conversation, tab);
  const { texts, hasMore } = await tab.view();
  expect([texts.length, hasMore]).toEqual([5_017, false]);
  // It is not over with the last page.
  await conversation.write("the newest");
  await session.query(
    "update intentions set content = '[\"the oldest\"]' where location_id = $1 and content->>0 = 'message 2'",
    [spaceId],
  );
  await settled(conversation, tab);
});

test("each tab of a browser loads as much as it likes, and keeps it when others come", {
  timeout: SLOW,
}, async () => {
  const conversation = await manyMessages(350);
  const { spaceId } = conversation;
  const context = await browser.newContext();
  const first = await SpacePage.open(context, site.current.url, { spaceId });
  await expect.poll(async () => (await first.view()).texts.length).toBe(100);
  const second = await SpacePage.open(context, site.current.url, { spaceId });
  await expect.poll(async () => (await second.view()).texts.length).toBe(100);
  await second.page.evaluate(() => globalThis.spacePage.loadAll());
  await settled(conversation, second);
  await first.page.evaluate(() => globalThis.spacePage.client.loadOlder());
  expect((await first.view()).texts).toHaveLength(200);
  // A third gets what the leader has; the others keep what is theirs.
  const third = await SpacePage.open(context, site.current.url, { spaceId });
  await expect.poll(async () => (await third.view()).texts.length).toBe(200);
  await conversation.write("for all");
  await settled(conversation, second);
  for (const tab of [first, third]) {
    await expect.poll(async () => (await tab.view()).texts.length).toBe(201);
    await tab.page.evaluate(() => globalThis.spacePage.loadAll());
    await settled(conversation, tab);
  }
});

test("where streams do not get through, no tab loses what it has loaded", { timeout: SLOW }, async () => {
  browser.allow(FAILED_REQUEST);
  const conversation = await manyMessages(350);
  const { spaceId } = conversation;
  const context = await browser.newContext();
  await context.route("**/api/stream?*", (route) => route.fulfill({ status: 503 }));
  const first = await SpacePage.open(context, site.current.url, { spaceId });
  await expect.poll(async () => (await first.view()).texts.length).toBe(100);
  const second = await SpacePage.open(context, site.current.url, { spaceId });
  await expect.poll(async () => (await second.view()).texts.length).toBe(100);
  await first.page.evaluate(() => globalThis.spacePage.client.loadOlder());
  await second.page.evaluate(() => globalThis.spacePage.loadAll());
  await settled(conversation, second);
  await conversation.write("polled");
  await expect.poll(async () => (await first.view()).texts.at(-1)).toBe("polled");
  // The first asks for what it has; the second has more.
  expect((await first.view()).texts).toHaveLength(201);
  await settled(conversation, second);
  expect((await second.view()).sizes.filter((size) => size > 300)).toEqual([350, 351]);
});
