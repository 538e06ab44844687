import { useBrowser } from "./browser.js";
import { FIREFOX, useFirefox } from "./firefox.js";
import { chromiumTab, firefoxTab, type Tab } from "./tab.js";
import { useWebKit, WEBKIT } from "./webkit.js";

/** A real browser, and whether it is installed here: `test.skipIf(!isHere)`. */
export interface Engine {
  readonly name: "Chromium" | "Firefox" | "WebKit";
  readonly isHere: boolean;
  /** A tab in a browser of its own, closed after the test. WebKit has one at a time. */
  open(): Promise<Tab>;
  /** What pages may complain of in this test. WebKit tells nothing of it. */
  allow(...expected: RegExp[]): void;
  /** What they have complained of in this test so far. */
  complaints(): readonly string[];
}

export interface Wishes {
  /** What the user of these browsers wants: a dark page without motion. Unless given: false. */
  dark?: boolean;
}

/** One of each for a test file, all with the back-forward cache that people have. */
export function useEngines({ dark = false }: Wishes = {}): readonly Engine[] {
  const chromium = useBrowser({ pageCache: true });
  const firefox = useFirefox({
    "layout.css.prefers-color-scheme.content-override": dark ? 0 : 1,
    "ui.prefersReducedMotion": dark ? 1 : 0,
  });
  const webkit = useWebKit({ dark });
  const wishes = dark ? ({ colorScheme: "dark", reducedMotion: "reduce" } as const) : {};
  return [
    {
      name: "Chromium",
      isHere: true,
      open: async () => chromiumTab(await chromium.newPage(wishes)),
      allow: chromium.allow,
      complaints: () => chromium.complaints,
    },
    {
      name: "Firefox",
      isHere: FIREFOX !== undefined,
      open: async () => firefoxTab(await firefox.newPage()),
      allow: firefox.allow,
      complaints: () => firefox.complaints,
    },
    {
      name: "WebKit",
      isHere: WEBKIT !== undefined,
      open: webkit.newPage,
      allow: () => {},
      complaints: () => [],
    },
  ];
}
