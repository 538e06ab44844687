import type { Page } from "playwright-core";
import { expect, test, vi } from "vitest";
import { useBrowser } from "../support/browser/browser.js";
import { useWebKit, WEBKIT } from "../support/browser/webkit.js";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { useDemo, Visitor } from "./demo.js";

vi.setConfig({ testTimeout: 60_000 });
const db = useDatabase();
const demo = useDemo(db);
const browser = useBrowser();
const webkit = useWebKit();

const LONG = `${"Donaudampfschifffahrtsgesellschaft".repeat(8)} and a link https://example.com/${"path/".repeat(40)}`;

/** A conversation with all that a page may have to show. */
async function come(options: Parameters<typeof Visitor.come>[2]) {
  const session = await Session.open(db);
  await session.query(
    `insert into intentions (location_id, content, state, type) values
       ('lobby', '["A draft of somebody"]', 'draft', 'utterance'),
       ('lobby', '["It broke off"]', 'failed', 'utterance'),
       ('lobby', '["Out of paper"]', 'complete', 'error'),
       ('lobby', '[{"order": {"items": ["tea", "bread", "a very long name of an article that nobody orders"]}}]', 'paused', 'utterance'),
       ('lobby', jsonb_build_array($1::text), 'paused', 'utterance')`,
    [LONG],
  );
  const ada = await Visitor.come(browser, demo.current.url, options);
  await ada.say("time");
  await ada.sees(/^Postgres wrote msg_\d+/);
  return ada;
}

/** What sticks out to the right or the left. */
function overflow(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const isInside = (element: Element) => {
      const { left, right, width } = element.getBoundingClientRect();
      return width <= 1 || (left >= -1 && right <= innerWidth + 1);
    };
    const scrolls = document.documentElement.scrollWidth > innerWidth ? ["the page scrolls sideways"] : [];
    const outside = [...document.querySelectorAll("body *")].filter(
      (element) => !isInside(element) && !element.closest("pre"),
    );
    return [...scrolls, ...outside.map((element) => `${element.localName}.${element.className}`)];
  });
}

test.each([
  [320, 568],
  [390, 844],
])("on a phone of %i × %i nothing sticks out, and one can write at once", async (width, height) => {
  const ada = await come({ viewport: { width, height }, hasTouch: true, isMobile: true });
  expect(await overflow(ada.page)).toEqual([]);
  const field = ada.page.getByRole("textbox", { name: "Write a message" });
  const box = await field.boundingBox();
  expect(box?.y).toBeGreaterThan(height / 2);
  expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(height);
  // Below 16 pixels an iPhone zooms into the field.
  const sizes = await ada.page
    .locator("textarea, input")
    .evaluateAll((fields) => fields.map((each) => Number.parseFloat(getComputedStyle(each).fontSize)));
  for (const size of sizes) expect(size).toBeGreaterThanOrEqual(16);
});

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
  expect(await overflow(ada.page)).toEqual([]);
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

/** Each text that is seen, with its contrast to what is behind it. Colours without transparency only. */
function contrasts(page: Page): Promise<{ text: string; contrast: number }[]> {
  return page.evaluate(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    if (!canvas) throw new Error("no canvas");
    const paint = (...colors: string[]) => {
      for (const color of colors) {
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
      }
      return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const luminance = (rgb: number[]) => {
      const [r = 0, g = 0, b = 0] = rgb.map((value) => {
        const part = value / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const backgrounds = (element: Element | null): string[] =>
      element ? [...backgrounds(element.parentElement), getComputedStyle(element).backgroundColor] : [];
    const opacity = (element: Element | null): number =>
      element ? Number(getComputedStyle(element).opacity) * opacity(element.parentElement) : 1;
    return [...document.querySelectorAll("body *")]
      .filter((element) => {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.nodeValue?.trim());
        const { width, height } = element.getBoundingClientRect();
        return own && width > 1 && height > 1 && opacity(element) === 1;
      })
      .map((element) => {
        const behind = backgrounds(element);
        const text = luminance(paint(...behind, getComputedStyle(element).color));
        const ground = luminance(paint(...behind));
        const contrast = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
        return { text: `${element.className}: ${element.textContent?.slice(0, 40)}`, contrast };
      });
  });
}

test.each(["light", "dark"] as const)(
  "all text has a contrast of 4.5 to 1 and more: %s",
  async (colorScheme) => {
    const ada = await come({ colorScheme });
    const bob = await come({ colorScheme: "light" });
    await bob.say("help");
    await ada.sees(/^Say anything/);
    await ada.page.getByRole("link", { name: "Workshop" }).hover();
    const found = await contrasts(ada.page);
    expect(found.length).toBeGreaterThan(25);
    expect(found.filter(({ contrast }) => contrast < 4.5)).toEqual([]);
    const ground = await ada.page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    expect(ground).toBe(colorScheme === "light" ? "rgb(255, 255, 255)" : "rgb(21, 24, 29)");
  },
);

test("who wants no motion gets none", async () => {
  const ada = await come({ reducedMotion: "reduce" });
  await ada.say("long");
  const growing = ada.page.locator('.sf-message[data-state="active"] .said p');
  await growing.first().waitFor();
  const animations = () => ada.page.evaluate(() => document.getAnimations().length);
  expect(await animations()).toBe(0);
  await ada.page.emulateMedia({ reducedMotion: "no-preference" });
  expect(await animations()).toBeGreaterThan(0);
});

test("nothing is fetched from anywhere else", async () => {
  const page = await browser.newPage();
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).origin));
  await page.goto(demo.current.url);
  await page.getByRole("status").filter({ hasText: "Realtime" }).waitFor();
  expect(new Set(asked)).toEqual(new Set([demo.current.url]));
});

// Chromium and Firefox let the keyboard into whatever scrolls.
test.skipIf(!WEBKIT)(
  "JSON that is wider than the page is scrolled with the keyboard, also in WebKit",
  async () => {
    const session = await Session.open(db);
    await session.query(
      "insert into intentions (location_id, content) values ('lobby', jsonb_build_array($1::jsonb))",
      [JSON.stringify({ wide: "very ".repeat(200) })],
    );
    const page = await webkit.newPage();
    await page.goto(demo.current.url);
    const focus = () => {
      const all = [...document.querySelectorAll<HTMLElement>(".said pre")];
      const json = all.find(({ textContent }) => textContent.includes("very very"));
      json?.focus();
      return json !== undefined && document.activeElement === json;
    };
    await expect.poll(() => page.evaluate(focus)).toBe(true);
    const scrolled = async () => {
      await page.press("ArrowRight");
      return page.evaluate(() => document.activeElement?.scrollLeft);
    };
    await expect.poll(scrolled).toBeGreaterThan(0);
  },
);
