import { describe, expect, test } from "vitest";
import { FIREFOX, useFirefox } from "../support/browser/firefox.js";
import { useSite } from "../support/browser/site.js";
import { useDatabase } from "../support/postgres/database.js";
import { useRelay } from "../support/relay/relay.js";

const db = useDatabase();
const relay = useRelay(db);
const site = useSite({ entry: new URL("./pages/support.tsx", import.meta.url), relay });
const firefox = useFirefox({ "dom.serviceWorkers.enabled": false });

describe.skipIf(!FIREFOX)("Firefox (skipped where it is not installed)", () => {
  test("a page is run in it, with the settings that were asked for", async () => {
    const page = await firefox.newPage();
    await page.goto(site.current.url);
    await page.waitForSelector("h1");
    const seen = await page.evaluate(() => [
      navigator.userAgent,
      "serviceWorker" in navigator,
      isSecureContext,
      typeof navigator.locks,
    ]);
    expect(seen).toEqual([expect.stringContaining("Firefox/"), false, true, "object"]);
  });

  test("two tabs of a context share storage, and those of another one do not", async () => {
    const context = await firefox.newContext();
    const tabs = [await context.newPage(), await context.newPage(), await firefox.newPage()];
    for (const tab of tabs) await tab.goto(site.current.url);
    await tabs[0]?.evaluate(() => localStorage.setItem("kept", "yes"));
    const kept = await Promise.all(tabs.map((tab) => tab.evaluate(() => localStorage.getItem("kept"))));
    expect(kept).toEqual(["yes", "yes", null]);
  });

  test("what a page complains of is collected", async () => {
    const page = await firefox.newPage();
    await page.goto(site.current.url);
    await page.evaluate(() => {
      console.error("a bad sign");
      setTimeout(() => {
        throw new Error("nobody catches this");
      });
      void Promise.reject(new Error("nobody handles this"));
    });
    await expect
      .poll(() => firefox.complaints)
      .toEqual(
        expect.arrayContaining([
          expect.stringContaining("error: a bad sign"),
          expect.stringContaining("nobody catches this"),
          expect.stringContaining("nobody handles this"),
        ]),
      );
    firefox.allow(/a bad sign/, /nobody/);
  });
});
