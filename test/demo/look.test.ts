import { expect, test, vi } from "vitest";
import { useBrowser } from "../support/browser/browser.js";
import { useDatabase } from "../support/postgres/database.js";
import { useDemo, Visitor } from "./demo.js";

vi.setConfig({ testTimeout: 60_000 });
const db = useDatabase();
const demo = useDemo(db);
const browser = useBrowser();

const come = (options: Parameters<typeof Visitor.come>[2]) =>
  Visitor.come(browser, demo.current.url, options);

test("on a phone a button opens who belongs here, one's name and the line for psql", async () => {
  const ada = await come({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  const side = ada.page.getByRole("complementary", { name: "About this space" });
  expect(await side.isVisible()).toBe(false);
  await ada.page.getByRole("button", { name: "Details" }).tap();
  await side.waitFor();
  expect(await ada.people()).toContain("Pip");
  await ada.page.getByRole("button", { name: "Your name" }).tap();
  await ada.page.keyboard.press("Escape");
  expect(await side.isVisible(), "Escape leaves the name first").toBe(true);
  const size = await ada.page
    .locator(".sf-name-button")
    .evaluate((each) => Number.parseFloat(getComputedStyle(each).fontSize));
  expect(size).toBeGreaterThanOrEqual(16);
  await ada.page.getByRole("button", { name: "Close" }).tap();
  await side.waitFor({ state: "hidden" });
});

test("on a phone what can be tapped is large enough", async () => {
  const ada = await come({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  await ada.page.getByRole("button", { name: "Details" }).tap();
  const small = await ada.page.locator("button, a").evaluateAll((all) =>
    all
      .map((each) => ({ name: each.textContent, box: each.getBoundingClientRect() }))
      .filter(({ box }) => box.width > 0 && (box.height < 32 || box.width < 32))
      .map(({ name }) => name),
  );
  expect(small).toEqual([]);
});

test("nothing is fetched from anywhere else", async () => {
  const page = await browser.newPage();
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).origin));
  await page.goto(demo.current.url);
  await page.getByRole("status").filter({ hasText: "Realtime" }).waitFor();
  expect(new Set(asked)).toEqual(new Set([demo.current.url]));
});
