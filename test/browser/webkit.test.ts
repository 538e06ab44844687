import { describe, expect, test } from "vitest";
import { useSite } from "../support/browser/site.js";
import { useWebKit, WEBKIT } from "../support/browser/webkit.js";
import { useDatabase } from "../support/postgres/database.js";
import { useRelay } from "../support/relay/relay.js";

const db = useDatabase();
const relay = useRelay(db);
const site = useSite({ entry: new URL("./pages/support.tsx", import.meta.url), relay });
const webkit = useWebKit();

describe.skipIf(!WEBKIT)("WebKit (skipped where it is not installed)", () => {
  test("a page is run in it", async () => {
    const page = await webkit.newPage();
    await page.goto(site.current.url);
    const seen = () => [navigator.userAgent, isSecureContext, typeof navigator.locks];
    expect(await page.evaluate(seen)).toEqual([expect.stringContaining("AppleWebKit/605"), true, "object"]);
    await expect.poll(() => page.evaluate(() => document.querySelector("h1")?.textContent)).toBeTruthy();
  });

  test("each page is a browser of its own", async () => {
    const kept = () => localStorage.getItem("kept");
    for (const before of [null, null]) {
      const page = await webkit.newPage();
      await page.goto(site.current.url);
      expect(await page.evaluate(kept)).toBe(before);
      await page.evaluate(() => localStorage.setItem("kept", "yes"));
      expect(await page.evaluate(kept)).toBe("yes");
    }
  });
});
