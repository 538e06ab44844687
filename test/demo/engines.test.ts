// The pages as people have them, in all engines: small, enlarged, dark, without motion, without a mouse, from the right to the
// left, and read aloud. PICTURES=docs keeps the pictures that are in the documentation.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import axe from "axe-core";
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type Engine, useEngines } from "../support/browser/engines.js";
import type { Tab } from "../support/browser/tab.js";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { useDemo } from "./demo.js";

vi.setConfig({ testTimeout: 90_000 });
const db = useDatabase();
const demo = useDemo(db);
const light = useEngines();
const dark = useEngines({ dark: true });
const { PICTURES } = process.env;

const LONG = `${"Donaudampfschifffahrtsgesellschaft".repeat(8)} and a link https://example.com/${"path/".repeat(40)}`;
const HEBREW = "שלום עולם";
const FIELD = "textarea";

beforeAll(async () => {
  const session = await Session.open(db);
  for (const statement of (await readFile("src/demo/tracker/tracker.sql", "utf8")).split(/;\n/)) {
    await session.run(statement);
  }
});
/** All that a page may have to show. */
beforeEach(async () => {
  const session = await Session.open(db);
  await session.query("delete from intentions where location_id = 'lobby'");
  await session.query(
    `insert into intentions (location_id, content, state, type) values
       ('lobby', '["A draft of somebody"]', 'draft', 'utterance'),
       ('lobby', '["It broke off"]', 'failed', 'utterance'),
       ('lobby', '["Out of paper"]', 'complete', 'error'),
       ('lobby', jsonb_build_array($1::text), 'paused', 'utterance'),
       ('lobby', jsonb_build_array($2::jsonb), 'paused', 'utterance'),
       ('lobby', jsonb_build_array($3::text, 'and in English'), 'paused', 'utterance')`,
    [LONG, JSON.stringify({ wide: "very ".repeat(200) }), HEBREW],
  );
});

/** Opens a page of the demo, and waits until it is live and has let the visitor in. */
async function come({ open }: Engine, path = "/", size: readonly [number, number] = [1280, 800]) {
  const tab = await open();
  await tab.goto(demo.current.url + path);
  await tab.resize(...size);
  await sees(tab, ".status", /Realtime/);
  if (path === "/") await sees(tab, ".sf-name-button:enabled", /./);
  return tab;
}

/** Waits until an element has a text. */
const sees = (tab: Tab, selector: string, text: RegExp) =>
  expect
    .poll(() =>
      tab.evaluate(
        (selector) => [...document.querySelectorAll(selector)].map((each) => each.textContent).join("\n"),
        selector,
      ),
    )
    .toMatch(text);

async function say(tab: Tab, text: string): Promise<void> {
  await tab.click(FIELD);
  await tab.type(text);
  await tab.press("Enter");
  await expect
    .poll(() => tab.evaluate(() => [...document.querySelectorAll("[data-own]")].at(-1)?.textContent))
    .toContain(text);
}

/** A text in the devtools. */
const inDevtools = (tab: Tab, selector: string) =>
  tab.evaluate((selector) => {
    const root = document.querySelector("spacefeed-devtools")?.shadowRoot;
    return root?.querySelector(selector)?.textContent ?? "";
  }, selector);

const cutOrMend = (tab: Tab) =>
  tab.evaluate(() => {
    const root = document.querySelector("spacefeed-devtools")?.shadowRoot;
    root?.querySelector<HTMLElement>("header button")?.click();
  });

/** What sticks out to the right or the left, and where one writes if that is not seen. */
const faultsOfLayout = (tab: Tab) =>
  tab.evaluate(() => {
    const isInside = (element: Element) => {
      const { left, right, width } = element.getBoundingClientRect();
      return width <= 1 || (left >= -1 && right <= innerWidth + 1);
    };
    const scrolls = document.documentElement.scrollWidth > innerWidth ? ["the page scrolls sideways"] : [];
    const outside = [...document.querySelectorAll("body *")].filter(
      (element) => !isInside(element) && !element.closest("pre"),
    );
    const { top = 0, bottom = 0 } = document.querySelector("textarea")?.getBoundingClientRect() ?? {};
    const hidden =
      top < innerHeight / 3 || bottom > innerHeight ? [`the field is at ${top} to ${bottom}`] : [];
    return [...scrolls, ...outside.map((element) => `${element.localName}.${element.className}`), ...hidden];
  });

describe.each(light)("$name (skipped where it is not installed)", (engine) => {
  const here = test.skipIf(!engine.isHere);

  here("on a phone, and enlarged to 200 %, nothing sticks out, and one can write", async () => {
    const tab = await come(engine);
    await sees(tab, ".said", /English/);
    // Enlarged, a page of 1280 × 800 has half of that.
    const SIZES = [
      [320, 568],
      [390, 844],
      [640, 400],
    ] as const;
    for (const [width, height] of SIZES) {
      await tab.resize(width, height);
      await expect.poll(() => faultsOfLayout(tab), { message: `at ${width}` }).toEqual([]);
      // Below 16 pixels an iPhone zooms into the field.
      const fontOf = (field: string) =>
        Number.parseFloat(getComputedStyle(document.querySelector(field) as Element).fontSize);
      expect(await tab.evaluate(fontOf, FIELD)).toBeGreaterThanOrEqual(16);
      await tab.click(".side-open");
      const isOpen = () => document.querySelector(".side:popover-open") !== null;
      await expect.poll(() => tab.evaluate(isOpen)).toBe(true);
      await tab.click(".side-close");
      await say(tab, `written at ${width}`);
    }
    await tab.resize(1280, 800);
    await tab.evaluate(() => {
      document.documentElement.style.fontSize = "200%"; // the letters only
    });
    await expect.poll(() => faultsOfLayout(tab)).toEqual([]);
    await say(tab, "written large");
  });

  here("without a mouse one goes everywhere, sees where one is, scrolls, writes, takes a name", async () => {
    const tab = await come(engine);
    await sees(tab, ".said", /English/);
    const focused = () =>
      tab.evaluate(() => {
        const element = document.activeElement as HTMLElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        const around = getComputedStyle(element.closest("form") ?? element);
        const name = element.getAttribute("aria-label") ?? element.textContent?.slice(0, 20);
        const isVisible = (outlineStyle !== "none" && outlineWidth !== "0px") || around.boxShadow !== "none";
        return `${isVisible ? "" : "invisible "}${element.localName} ${name}`;
      });
    const seen: string[] = [];
    const tabTo = async (name: RegExp) => {
      for (let n = 0; n < 20 && !name.test(seen.at(-1) ?? ""); n++) {
        await tab.press("Tab");
        seen.push(await focused());
      }
    };
    await tabTo(/^pre/);
    const scrolled = async () => {
      await tab.press("ArrowRight");
      return tab.evaluate(() => document.activeElement?.scrollLeft);
    };
    await expect.poll(scrolled).toBeGreaterThan(0);
    await tabTo(/^textarea/);
    await tab.type("by hand");
    await tab.press("Enter");
    await sees(tab, "[data-own]", /by hand/);
    await tabTo(/^button Your name/);
    await tab.press("Enter");
    await tab.type("Keys");
    await tab.press("Enter");
    await sees(tab, ".sf-name-button", /^Keys/);
    await expect.poll(focused).toMatch(/^button Your name/);
    await tabTo(/^a Devtools/);
    expect(seen.join("; ")).toMatch(
      /^a The lobby; a Workshop; .*textarea.*; button Send; .*button Your name: .*; button Copy; .*a Devtools$/s,
    );
    expect(seen.filter((each) => each.startsWith("invisible"))).toEqual([]);
  });

  here(
    "text from the right to the left is laid out so, where it is read and where it is written",
    async () => {
      const tab = await come(engine);
      await sees(tab, ".said", /English/);
      const directions = await tab.evaluate((hebrew) => {
        const parts = [...document.querySelectorAll(".said p")];
        const at = parts.findIndex(({ textContent }) => textContent === hebrew);
        return parts.slice(at, at + 2).map((part) => getComputedStyle(part).direction);
      }, HEBREW);
      expect(directions).toEqual(["rtl", "ltr"]);
      await say(tab, HEBREW);
      await tab.type(HEBREW);
      const field = () => {
        const field = document.querySelector("textarea") as HTMLTextAreaElement;
        return [field.value, getComputedStyle(field).direction];
      };
      expect(await tab.evaluate(field)).toEqual([HEBREW, "rtl"]);
      await tab.evaluate(() => {
        document.documentElement.dir = "rtl";
      });
      await expect.poll(() => faultsOfLayout(tab)).toEqual([]);
    },
  );

  here("the devtools cut the line, show what waits, and mend it", async () => {
    const tab = await come(engine, "/?devtools");
    await expect.poll(() => inDevtools(tab, ".spaces")).toMatch(/●lobbyv\d+●workshopv\d+/);
    await cutOrMend(tab);
    await sees(tab, ".status", /Offline/);
    await say(tab, "said while the line was cut");
    await expect.poll(() => inDevtools(tab, ".spaces")).toMatch(/lobby1 pending/);
    await cutOrMend(tab);
    await sees(tab, ".status", /Realtime/);
    await expect.poll(() => inDevtools(tab, ".spaces")).toMatch(/●lobbyv/);
    expect(await inDevtools(tab, ".events")).toMatch(/stored.*create intention.*cache/);
  });
});

describe.each([
  ...light.map((engine) => ({ ...engine, isDark: false })),
  ...dark.map((engine) => ({ ...engine, isDark: true })),
])("$name, for who wants it dark and without motion: $isDark", (engine) => {
  const here = test.skipIf(!engine.isHere);

  here(
    "axe-core finds nothing wrong in the chat, the tracker and the devtools; what grows moves or not",
    async () => {
      const tab = await come(engine);
      await say(tab, "time");
      await sees(tab, ".sf-message:not([data-own])", /Postgres wrote msg_\d+/);
      expect(await faultsOfAxe(tab)).toEqual([]);
      await say(tab, "long");
      const isGrowing = () => document.querySelector('[data-state="active"] .said p') !== null;
      await expect.poll(() => tab.evaluate(isGrowing)).toBe(true);
      expect(await tab.evaluate(() => document.getAnimations().length > 0)).toBe(!engine.isDark);
      for (const path of ["/tracker", "/tracker?devtools"]) {
        await tab.goto(demo.current.url + path);
        await sees(tab, ".card", /Move it with psql/);
        if (path.includes("devtools")) {
          await expect.poll(() => inDevtools(tab, ".spaces")).toMatch(/tracker/);
          await cutOrMend(tab);
          await sees(tab, ".status", /Offline/);
        }
        expect(await faultsOfAxe(tab), path).toEqual([]);
      }
      const ground = await tab.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      expect(ground).toBe(engine.isDark ? "rgb(21, 24, 29)" : "rgb(255, 255, 255)");
    },
  );
});

/** What axe-core objects to: the rule and the element. */
async function faultsOfAxe(tab: Tab): Promise<string[]> {
  await tab.evaluate(new Function(axe.source) as () => void);
  return tab.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run({
      resultTypes: ["violations"],
    });
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`),
    );
  });
}

test("visitors of different engines chat", async () => {
  const here = light.filter(({ isHere }) => isHere);
  const tabs = await Promise.all(here.map((engine) => come(engine, "/#workshop", [460, 640])));
  for (const [n, tab] of tabs.entries()) {
    const { name = "" } = here[n] ?? {};
    await say(tab, `Hello from ${name}`);
    for (const other of tabs) await sees(other, ".said", new RegExp(`Hello from ${name}`));
  }
  if (!PICTURES) return;
  for (const [n, tab] of tabs.entries()) {
    await writeFile(join(PICTURES, `engine-${here[n]?.name.toLowerCase()}.png`), await tab.screenshot());
  }
  const [tab] = tabs as [Tab];
  await tab.goto(`${demo.current.url}/?devtools#workshop`);
  await tab.resize(1280, 680);
  await sees(tab, ".status", /Realtime/);
  await expect.poll(() => inDevtools(tab, ".spaces")).toMatch(/workshop/);
  await say(tab, "who");
  await sees(tab, ".sf-message:not([data-own])", /flickers in and out/);
  await cutOrMend(tab);
  await say(tab, "Said while the line is cut");
  await expect.poll(() => inDevtools(tab, ".spaces")).toMatch(/1 pending/);
  await writeFile(join(PICTURES, "devtools.png"), await tab.screenshot());
});
