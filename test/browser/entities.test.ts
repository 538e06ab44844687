import { beforeEach, expect, test } from "vitest";
import { FAILED_REQUEST, useBrowser } from "../support/browser/browser.js";
import { useSite } from "../support/browser/site.js";
import { SpacePage } from "../support/browser/space-page.js";
import { useDatabase } from "../support/postgres/database.js";
import { useTracker } from "../support/postgres/tracker.js";
import { kept } from "../support/relay/kept.js";
import { useRelay } from "../support/relay/relay.js";
import { streams, streamsBecome } from "../support/relay/relay-metrics.js";

const SLOW = 60_000;
const db = useDatabase();
const relay = useRelay(db, { heartbeatMs: 10_000 });
const tracker = useTracker(db);
const site = useSite({ entry: new URL("./pages/space.ts", import.meta.url), relay });
const browser = useBrowser();
beforeEach(() => streamsBecome(relay.current, 0));

type Row = { id: string; title: string; isDone: boolean };

/** The board that a page shows: the titles of what is to do, and of what is done. */
const board = (tab: SpacePage) =>
  tab.page.evaluate(() => {
    const tasks = globalThis.spacePage.client.getEntities<Row>("task");
    const titles = (done: boolean) => tasks.filter(({ isDone }) => isDone === done).map(({ title }) => title);
    return { todo: titles(false).sort(), done: titles(true).sort() };
  });
/** Moves a card, and waits for nothing. */
const move = (tab: SpacePage, id: string) =>
  tab.page.evaluate((id) => {
    globalThis.spacePage.client.updateEntity<string>("task", id, { isDone: true }).catch(() => {});
  }, id);
const shows = (tab: SpacePage, todo: string[], done: string[]) =>
  expect.poll(() => board(tab)).toEqual({ todo, done });
const isDone = (id: string) => tracker.session.value("select is_done from tracker.tasks where id = $1", [id]);

async function begin() {
  const spaceId = tracker.newProject();
  const id = await tracker.write(spaceId, "paint");
  await tracker.write(spaceId, "sand");
  return { spaceId, id };
}

test("one page moves a card, and the page of another browser shows it moved", { timeout: SLOW }, async () => {
  const { spaceId, id } = await begin();
  const open = async () => SpacePage.open(await browser.newContext(), site.current.url, { spaceId });
  const [mover, watcher] = [await open(), await open()];
  for (const tab of [mover, watcher]) await shows(tab, ["paint", "sand"], []);
  await move(mover, id);
  for (const tab of [mover, watcher]) await shows(tab, ["sand"], ["paint"]);
  expect(await isDone(id)).toBe(true);
});

test("tabs share them over one stream, also with one that comes later", { timeout: SLOW }, async () => {
  const { spaceId, id } = await begin();
  const context = await browser.newContext();
  const first = await SpacePage.open(context, site.current.url, { spaceId });
  await shows(first, ["paint", "sand"], []);
  const second = await SpacePage.open(context, site.current.url, { spaceId });
  await shows(second, ["paint", "sand"], []);
  await move(second, id);
  await tracker.write(spaceId, "glue");
  for (const tab of [first, second]) await shows(tab, ["glue", "sand"], ["paint"]);
  expect(await streams(relay.current)).toBe(1);
});

test("without a network a reloaded page shows the rows that it had, and a change that waits is sent later", {
  timeout: SLOW,
}, async () => {
  browser.allow(FAILED_REQUEST);
  const { spaceId, id } = await begin();
  const context = await browser.newContext();
  const tab = await SpacePage.open(context, site.current.url, { spaceId, persist: true });
  await shows(tab, ["paint", "sand"], []);
  await expect
    .poll(async () => (await kept(tab))?.map(([[kind], value]) => [kind, JSON.stringify(value)]))
    .toEqual([["space", expect.stringContaining("paint")]]);

  await context.route("**/api/**", (route) => route.abort());
  await tab.reload();
  await shows(tab, ["paint", "sand"], []);
  await move(tab, id);
  await shows(tab, ["sand"], ["paint"]);
  await expect
    .poll(async () => (await kept(tab))?.map(([[kind]]) => kind).sort())
    .toEqual(["changes", "space"]);
  await tab.reload();
  await shows(tab, ["sand"], ["paint"]);
  expect(await isDone(id)).toBe(false);

  await tracker.write(spaceId, "glue");
  await context.unroute("**/api/**");
  await shows(tab, ["glue", "sand"], ["paint"]);
  await expect.poll(() => isDone(id)).toBe(true);
});
