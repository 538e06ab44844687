import type { Page as ChromiumPage } from "playwright-core";
import type { Page as FirefoxPage } from "puppeteer-core";

export type Key = "Tab" | "Enter" | "Escape" | "PageUp" | "ArrowRight";

/** A page in a tab of any browser, and what a person does there. */
export interface Tab {
  goto(url: string): Promise<unknown>;
  reload(): Promise<unknown>;
  /** To the page before, as the browser's own button does. */
  back(): Promise<unknown>;
  /** What a function of the page returns. It knows its argument only. */
  evaluate<A, R>(work: (argument: A) => R, argument?: A): Promise<Awaited<R>>;
  press(key: Key): Promise<unknown>;
  type(text: string): Promise<unknown>;
  click(selector: string): Promise<unknown>;
  /** Turns the wheel over the middle of an element. */
  wheel(selector: string, pixels: number): Promise<unknown>;
  /** In CSS pixels. WebKit's window has 447 at least. */
  resize(width: number, height: number): Promise<unknown>;
  /** A PNG. */
  screenshot(): Promise<Uint8Array>;
  /** Another tab of the same browser: storage, locks and channels are shared. */
  another(): Promise<Tab>;
  close(): Promise<unknown>;
}

export const chromiumTab = (page: ChromiumPage): Tab => ({
  goto: (url) => page.goto(url),
  reload: () => page.reload(),
  // Of a page that was kept it never sees that it has loaded.
  back: () => page.goBack({ waitUntil: "commit" }),
  evaluate: page.evaluate.bind(page) as Tab["evaluate"],
  press: (key) => page.keyboard.press(key),
  type: (text) => page.keyboard.type(text),
  click: (selector) => page.click(selector),
  wheel: (selector, pixels) => page.hover(selector).then(() => page.mouse.wheel(0, pixels)),
  resize: (width, height) => page.setViewportSize({ width, height }),
  screenshot: () => page.screenshot(),
  another: async () => chromiumTab(await page.context().newPage()),
  close: () => page.close(),
});

export const firefoxTab = (page: FirefoxPage): Tab => ({
  goto: (url) => page.goto(url),
  reload: () => page.reload(),
  back: () => page.goBack(),
  evaluate: page.evaluate.bind(page) as Tab["evaluate"],
  press: (key) => page.keyboard.press(key),
  type: (text) => page.keyboard.type(text),
  click: (selector) => page.click(selector),
  wheel: (selector, pixels) => page.hover(selector).then(() => page.mouse.wheel({ deltaY: pixels })),
  resize: (width, height) => page.setViewport({ width, height }),
  screenshot: () => page.screenshot(),
  another: async () => firefoxTab(await page.browserContext().newPage()),
  close: () => page.close(),
});
