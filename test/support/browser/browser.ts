import { accessSync, constants } from "node:fs";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type LaunchOptions,
  type Page,
} from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";

const EXECUTABLE = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const ARGS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** How each Chromium is started. */
export const CHROMIUM: LaunchOptions = { executablePath: EXECUTABLE, args: ARGS };

/** What Chromium itself writes to the console when a request fails: for `allow`, where a relay is away. */
export const FAILED_REQUEST = /^error: Failed to load resource: /;

/** One Chromium for a test file. Each context is a browser of its own: storage, locks and channels are not shared. */
export interface TestBrowser {
  /** Closed after the test. Two tabs are two pages of one context. */
  newContext(options?: BrowserContextOptions): Promise<BrowserContext>;
  /** A page in a context of its own. */
  newPage(options?: BrowserContextOptions): Promise<Page>;
  /**
   * What pages may complain of in this test. Anything else on the console with level error, each warning about
   * the content security policy, each uncaught error or rejection, and each crash fails the test at its end.
   */
  allow(...expected: RegExp[]): void;
  /** All complaints of this test so far, as `error: …`, `warning: …`, `uncaught: …` or `crash: …`. */
  readonly complaints: readonly string[];
}

export interface BrowserOptions {
  /**
   * Pages that are left may be kept, and shown again as they were ("bfcache"), as in a real browser. Playwright then
   * never sees that such a page has loaded: `goBack({ waitUntil: "commit" })`. Unless set: false.
   */
  pageCache?: boolean;
}

export function useBrowser({ pageCache = false }: BrowserOptions = {}): TestBrowser {
  let browser: Browser | undefined;
  let contexts: BrowserContext[] = [];
  let complaints: string[] = [];
  let allowed: RegExp[] = [];

  beforeAll(async () => {
    browser = await launch(pageCache);
  });
  beforeEach(() => {
    [contexts, complaints, allowed] = [[], [], []];
  });
  afterEach(async () => {
    await Promise.all(contexts.map((context) => context.close()));
    const unexpected = complaints.filter((text) => !allowed.some((pattern) => pattern.test(text)));
    expect(unexpected, "what the pages complain of").toEqual([]);
  });
  afterAll(() => browser?.close());

  const newContext = async (options?: BrowserContextOptions) => {
    if (!browser) throw new Error("the browser has not started yet");
    const context = await browser.newContext(options);
    contexts.push(context);
    context.on("console", (message) => {
      const [level, text] = [message.type(), message.text()];
      const isPolicy = /content.security.policy/i.test(text);
      if (level === "error" || isPolicy) complaints.push(`${level}: ${text} (${message.location().url})`);
    });
    // Rejections that nobody handles come here, too.
    context.on("weberror", (error) => complaints.push(`uncaught: ${describe(error.error())}`));
    context.on("page", (page) => page.on("crash", () => complaints.push(`crash: ${page.url()}`)));
    return context;
  };

  return {
    newContext,
    newPage: async (options) => (await newContext(options)).newPage(),
    allow: (...expected) => void allowed.push(...expected),
    get complaints() {
      return complaints;
    },
  };
}

/** The browser that is installed: none is ever downloaded. */
async function launch(pageCache: boolean): Promise<Browser> {
  try {
    accessSync(EXECUTABLE, constants.X_OK);
  } catch {
    throw new Error(
      `no Chromium at ${EXECUTABLE}: apt-get install chromium, or set CHROMIUM_PATH to a Chromium or Chrome`,
    );
  }
  // Playwright adds --no-sandbox, without which root's Chromium does not start.
  const ignoreDefaultArgs = pageCache ? ["--disable-back-forward-cache"] : [];
  return chromium.launch({ ...CHROMIUM, ignoreDefaultArgs });
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
