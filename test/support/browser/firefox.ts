import { accessSync, constants } from "node:fs";
import puppeteer, { type Browser, type BrowserContext, type Page } from "puppeteer-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";

const EXECUTABLE = process.env.FIREFOX_PATH ?? "/usr/bin/firefox-esr";
const START_MS = 60_000;

/** Where Firefox is; undefined where it is not installed: `describe.skipIf(!FIREFOX)`. */
export const FIREFOX = isProgram(EXECUTABLE) ? EXECUTABLE : undefined;

/** One Firefox for a test file, without a window. Driven over WebDriver BiDi, as Playwright's own Firefox is another one. */
export interface TestFirefox {
  /** A page in a context of its own, which is closed after the test. */
  newPage(): Promise<Page>;
  /** Storage, locks and channels of its own. Two tabs are two pages of one context. */
  newContext(): Promise<BrowserContext>;
  /**
   * What pages may complain of in this test. Any other error on the console, uncaught error or rejection fails the
   * test at its end.
   */
  allow(...expected: RegExp[]): void;
  /** All complaints of this test so far, as `error: …` or `uncaught: …`. */
  readonly complaints: readonly string[];
}

/** `prefs`: as in `about:config`, such as `{ "network.cookie.cookieBehavior": 2 }`. */
export function useFirefox(prefs: Record<string, string | number | boolean> = {}): TestFirefox {
  let browser: Browser | undefined;
  let contexts: BrowserContext[] = [];
  let complaints: string[] = [];
  let allowed: RegExp[] = [];

  beforeAll(async () => {
    if (!FIREFOX) return;
    browser = await puppeteer.launch({
      browser: "firefox",
      executablePath: FIREFOX,
      headless: true,
      extraPrefsFirefox: prefs,
      timeout: START_MS,
      protocolTimeout: START_MS,
    });
  }, START_MS);
  beforeEach(() => {
    [contexts, complaints, allowed] = [[], [], []];
  });
  afterEach(async () => {
    await Promise.all(contexts.map((context) => context.close()));
    const unexpected = complaints.filter((text) => !allowed.some((pattern) => pattern.test(text)));
    expect(unexpected, "what the pages complain of").toEqual([]);
  });
  afterAll(() => browser?.close());

  const watch = (page: Page) => {
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(`error: ${message.text()}`);
    });
    page.on("pageerror", (error) => {
      complaints.push(`uncaught: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    });
  };
  const newContext = async () => {
    if (!browser)
      throw new Error(`no Firefox at ${EXECUTABLE}: apt-get install firefox-esr, or set FIREFOX_PATH`);
    const context = await browser.createBrowserContext();
    contexts.push(context);
    context.on("targetcreated", async (target) => {
      const page = await target.page();
      if (page) watch(page);
    });
    return context;
  };

  return {
    newContext,
    newPage: async () => (await newContext()).newPage(),
    allow: (...expected) => void allowed.push(...expected),
    get complaints() {
      return complaints;
    },
  };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
