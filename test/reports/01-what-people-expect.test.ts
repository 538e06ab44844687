import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { CHROMIUM, useBrowser } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { FIREFOX, useFirefox } from "../support/browser/firefox.js";
import { useSite } from "../support/browser/site.js";
import { useDatabase } from "../support/postgres/database.js";
import { useRelay } from "../support/relay/relay.js";
import { REFUSALS } from "./refusals.js";

vi.setConfig({ testTimeout: 120_000 });
const db = useDatabase();
// A sandboxed frame is of no origin: whatever it asks for, it asks another site.
const relay = useRelay(db, { heartbeatMs: 10_000, corsOrigins: ["*"] });
const headers = { "Access-Control-Allow-Origin": "*" };
const site = useSite({ entry: new URL("../browser/pages/space.ts", import.meta.url), relay, headers });
const react = useSite({ entry: new URL("../react/pages/stage.tsx", import.meta.url), relay });
const browser = useBrowser();
const firefox = useFirefox({ "network.cookie.cookieBehavior": 2 });

/** A page or a frame, of Chromium or of Firefox. */
interface Place {
  evaluate(expression: string): Promise<unknown>;
}

/** With and without `persist`: it is live, it can write, and it sees what others write. */
async function lives(place: Place, ways = [false, true]) {
  for (const persist of ways) {
    const conversation = await Conversation.begin(db);
    await place.evaluate(`spacePage.open(${JSON.stringify({ spaceId: conversation.spaceId, persist })})`);
    const view = (what: string) => expect.poll(() => place.evaluate(`spacePage.view().${what}`));
    await view("mode").toBe("realtime");
    await place.evaluate(`spacePage.say("from the page")`);
    await conversation.write("from SQL");
    await view("texts").toEqual(["from the page", "from SQL"]);
  }
}

/** The same with React: the component is there, and live. */
async function livesInReact(place: Place) {
  const { spaceId } = await Conversation.begin(db);
  const scene = { provider: { persist: true }, parts: [{ what: "useSpaceData", spaceId }] };
  await place.evaluate(`stage.show(${JSON.stringify(scene)})`);
  await expect.poll(() => place.evaluate("stage.seen.data?.mode")).toBe("realtime");
  await place.evaluate(`stage.seen.data.createIntention({ content: ["from React"] })`);
}

const SANDBOXED = (what: "src" | "srcdoc") => `new Promise((resolve) => {
  const frame = document.createElement("iframe");
  frame.sandbox = "allow-scripts";
  frame.${what} = ${what === "src" ? '"/framed"' : "document.documentElement.outerHTML"};
  frame.onload = () => resolve();
  document.body.append(frame);
})`;

describe("whatever the browser refuses costs a convenience, never the page", () => {
  for (const [what, refuse] of Object.entries(REFUSALS)) {
    test(what, async () => {
      const context = await browser.newContext();
      await context.addInitScript(`if (isSecureContext) (${refuse})()`); // also run in the blank page before
      const [page, inReact] = [await context.newPage(), await context.newPage()];
      await page.goto(site.current.url);
      await inReact.goto(react.current.url);
      // What is neither given nor refused is waited for: once is enough.
      const ways = what.includes("neither") ? [true] : [false, true];
      await Promise.all([lives(page, ways), livesInReact(inReact)]);
    });
  }

  for (const what of ["src", "srcdoc"] as const) {
    test(`a sandboxed frame with ${what} in Chromium`, async () => {
      const page = await browser.newPage();
      await page.goto(site.current.url);
      await page.evaluate(SANDBOXED(what));
      await lives(page.frames()[1] as Place);
    });
  }

  test("Chromium with all cookies blocked", async () => {
    const profile = await mkdtemp(join(tmpdir(), "spacefeed-profile-"));
    onTestFinished(() => rm(profile, { recursive: true, force: true, maxRetries: 5 }));
    await mkdir(join(profile, "Default"));
    const settings = { profile: { default_content_setting_values: { cookies: 2 } } };
    await writeFile(join(profile, "Default", "Preferences"), JSON.stringify(settings));
    const context = await chromium.launchPersistentContext(profile, CHROMIUM);
    onTestFinished(() => context.close());
    const page = await context.newPage();
    await page.goto(site.current.url);
    await expect(page.evaluate("localStorage.length")).rejects.toThrow(/denied/i);
    await lives(page);
    await page.goto(react.current.url);
    await livesInReact(page);
  });

  describe.skipIf(!FIREFOX)("in Firefox (skipped where it is not installed)", () => {
    test("all cookies blocked", async () => {
      const page = await firefox.newPage();
      await page.goto(site.current.url);
      await expect(page.evaluate("localStorage.length")).rejects.toThrow(/insecure/i);
      await lives(page);
      await page.goto(react.current.url);
      await livesInReact(page);
    });

    test("a sandboxed frame", async () => {
      const page = await firefox.newPage();
      await page.goto(site.current.url);
      await page.evaluate(SANDBOXED("src"));
      await lives(page.frames()[1] as Place);
    });
  });
});
