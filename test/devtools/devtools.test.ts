import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { FAILED_REQUEST, useBrowser } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { useSite } from "../support/browser/site.js";
import { useDatabase } from "../support/postgres/database.js";
import { versionOf } from "../support/relay/feed.js";
import { useRelay } from "../support/relay/relay.js";

const db = useDatabase();
const relay = useRelay(db, { heartbeatMs: 10_000 });
// What a content security policy forbids in a page, the devtools do not need.
const headers = { "Content-Security-Policy": "style-src 'none'" };
const site = useSite({ entry: new URL("./pages/devtools.tsx", import.meta.url), relay, headers });
const browser = useBrowser();

async function open(...conversations: Conversation[]) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(`${site.current.url}?${conversations.map(({ spaceId }) => `space=${spaceId}`).join("&")}`);
  await page.getByRole("button", { name: "Devtools", exact: true }).click();
  return page;
}
const spaces = (page: Page) => page.getByRole("list", { name: "Spaces" }).getByRole("button");
const says = (page: Page, pattern: RegExp) =>
  expect
    .poll(() =>
      spaces(page)
        .allTextContents()
        .then((all) => all.sort().join("; ")),
    )
    .toMatch(pattern);
const fact = (page: Page, name: string) => page.locator(`[data-fact="${name}"] dd`);
const events = (page: Page) => page.locator(".events summary .name");

test("all clients of the page are shown, each with its mode, version and cursor, until they are closed", async () => {
  const [a, b] = [await Conversation.begin(db), await Conversation.begin(db)];
  const page = await open(a, b);
  await says(page, new RegExp(`^●${a.spaceId}v1; ●${b.spaceId}v1; ●${b.spaceId}v1$`));
  await b.write("one", "two");
  await says(page, new RegExp(`^●${a.spaceId}v1; ●${b.spaceId}v3; ●${b.spaceId}v3$`));
  await spaces(page).filter({ hasText: b.spaceId }).first().click();
  await expect.poll(() => fact(page, "Cursor").textContent()).toMatch(/^\w+\.3$/);
  expect(await fact(page, "Mode").textContent()).toBe("realtime");
  expect(await fact(page, "Holds").textContent()).toBe("1 being, 2 intention");
  await page.getByRole("button", { name: "Leave one" }).click();
  await says(page, new RegExp(`^●${a.spaceId}v1; ●${b.spaceId}v3$`));
});

test("the last 100 events are listed, the newest first, and each opens to all that is known of it", async () => {
  const [a, b] = [await Conversation.begin(db), await Conversation.begin(db)];
  const page = await open(a, b);
  await says(page, /v1; .*v1; .*v1/);
  await a.write(...Array.from({ length: 120 }, (_, n) => `message ${n}`));
  await page.getByRole("button", { name: `120 in ${a.spaceId}` }).waitFor();
  await expect.poll(() => events(page).count()).toBe(100);
  expect(await events(page).allTextContents()).toEqual(Array(100).fill("intention-created"));
  const newest = page.locator(".events details").first();
  const version = `v${await versionOf(a.session, a.spaceId)}`;
  await expect.poll(() => newest.locator("summary").textContent()).toContain(version); // the list is later than the page
  await newest.locator("summary").click();
  expect(await newest.locator("pre").textContent()).toContain('"message 119"');
});

test("the line is cut: what is done waits, and is seen to; and mended: it is sent, and what was missed comes", async () => {
  browser.allow(FAILED_REQUEST); // there is no /api/elsewhere
  const [a, b] = [await Conversation.begin(db), await Conversation.begin(db)];
  const page = await open(a, b);
  await says(page, /v1; .*v1; .*v1/);
  await page.getByRole("button", { name: "Cut the line" }).click();
  await says(page, /^(○.*){3}$/);
  expect(await page.evaluate(() => fetch("/api/elsewhere").then(({ status }) => status))).toBe(404);
  await page.getByRole("button", { name: `0 in ${a.spaceId}` }).click();
  await a.write("from SQL");
  await spaces(page).filter({ hasText: "1 pending" }).waitFor();
  await page.locator("summary", { hasText: "create intention" }).first().click();
  expect(await page.locator("pre").first().textContent()).toContain("from the page");
  expect(await a.texts()).toEqual(["from SQL"]);
  expect(
    await page
      .getByRole("button", { name: /^\d in/ })
      .first()
      .textContent(),
  ).toBe(`1 in ${a.spaceId}`);
  await page.getByRole("button", { name: "Mend the line" }).click();
  await page.getByRole("button", { name: `2 in ${a.spaceId}` }).waitFor();
  await expect.poll(() => a.texts().then((all) => all.sort())).toEqual(["from SQL", "from the page"]);
  await says(page, /^(●[^;]*(; )?){3}$/);
  expect((await events(page).allTextContents()).slice(-30).join()).toMatch(
    /stored.*create intention.*cache.*polling/,
  );
});

test("when they leave the page nothing of them stays, and a line that is cut is mended", async () => {
  const [a, b] = [await Conversation.begin(db), await Conversation.begin(db)];
  const page = await open(a, b);
  expect(await page.locator("spacefeed-devtools").count()).toBe(1);
  await page.getByRole("button", { name: "Cut the line" }).click();
  await page.getByRole("button", { name: "Without devtools" }).click();
  await expect.poll(() => page.locator("spacefeed-devtools").count()).toBe(0);
  await a.write("from SQL");
  await page.getByRole("button", { name: `1 in ${a.spaceId}` }).waitFor();
});
