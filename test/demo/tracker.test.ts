import { readFile } from "node:fs/promises";
import pg from "pg";
import type { Page } from "playwright-core";
import { expect, test, vi } from "vitest";
import { FAILED_REQUEST, useBrowser } from "../support/browser/browser.js";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { useDemo, useEmbeddedDemo } from "./demo.js";

vi.setConfig({ testTimeout: 60_000 });
const db = useDatabase();
const withDatabaseUrl = useDemo(db);
/** As `npm start` does it: with a Postgres of its own. */
const embedded = useEmbeddedDemo();
const browser = useBrowser();

const column = (page: Page, name: string) =>
  page.locator(".column", { has: page.getByRole("heading", { name }) });
const cardsOf = (page: Page, name: string) =>
  column(page, name).locator(".card > span:first-child").allTextContents();
const look = async (url: string) => {
  const page = await browser.newPage({ viewport: { width: 1100, height: 900 } });
  await page.goto(`${url}/tracker`);
  return page;
};

test("two browsers move cards on one board: with the pointer, with the keyboard, and with SQL", async () => {
  const [one, two] = [await look(embedded.current.url), await look(embedded.current.url)];
  for (const page of [one, two]) {
    await expect
      .poll(() => cardsOf(page, "To do"))
      .toEqual(["Move this card in another browser", "Move it with psql"]);
  }
  await one.locator(".card", { hasText: "Move this card" }).dragTo(column(one, "Done"));
  await expect
    .poll(async () => (await cardsOf(two, "Done")).sort())
    .toEqual(["Find out what a DBA asks first", "Move this card in another browser"]);
  await two.getByRole("button", { name: "Move “Move it with psql” to Doing" }).focus();
  await two.keyboard.press("Enter");
  await expect
    .poll(() => cardsOf(one, "Doing"))
    .toEqual(["Put Spacefeed on a table of ours", "Move it with psql"]);
  await one.getByLabel("A new card in To do").fill("From one");
  await one.keyboard.press("Enter");
  await expect.poll(() => cardsOf(two, "To do")).toEqual(["From one"]);
  await two.getByRole("button", { name: "Delete “From one”" }).click();
  await expect.poll(() => cardsOf(one, "To do")).toEqual([]);

  const [, url] = /^ {2}psql (\S+)$/m.exec(embedded.current.command.stdout) ?? [];
  const client = new pg.Client(url);
  await client.connect();
  await client.query(await two.locator(".made-by pre").last().innerText());
  await client.end();
  await expect.poll(() => cardsOf(two, "Done").then((cards) => cards.length)).toBe(4);
});

test("in a database of other people nothing is made: the page says what to run, and shows the board once it was", async () => {
  browser.allow(FAILED_REQUEST); // there is no such space yet
  const page = await look(withDatabaseUrl.current.url);
  await page.getByRole("heading", { name: "No board yet: run this in your database" }).waitFor();
  const session = await Session.open(db);
  expect(await session.value("select to_regclass('public.tasks') is null")).toBe(true);
  const lines = await page.locator(".made-by pre").first().innerText();
  expect(lines).toBe((await readFile("src/demo/tracker/tracker.sql", "utf8")).trim());
  for (const statement of lines.split(/;\n/)) await session.run(statement);
  await expect.poll(() => cardsOf(page, "To do"), { timeout: 30_000 }).toHaveLength(2);
  await page.getByRole("heading", { name: "The SQL that made this board" }).waitFor();
});
