import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll } from "vitest";
import { freePort } from "../process/free-port.js";
import { type WebDriver, WebKitPage } from "./webkit-page.js";

const DRIVER = process.env.WEBKIT_DRIVER_PATH ?? "/usr/bin/WebKitWebDriver";
const DISPLAY = "/usr/bin/Xvfb";
const START_MS = 60_000;

/** Where WebKit's driver is; undefined where it, or a display for it, is not installed: `describe.skipIf(!WEBKIT)`. */
export const WEBKIT = [DRIVER, DISPLAY].every((path) => existsSync(path)) ? DRIVER : undefined;

/** WebKit as GTK has it, the engine of Safari, on a display that nobody sees. WebDriver tells nothing of the console. */
export interface TestWebKit {
  /** A page in a browser of its own, which is closed after the test. There is one at a time. */
  newPage(): Promise<WebKitPage>;
}

/** `dark`: its user wants a dark page without motion. */
export function useWebKit({ dark = false } = {}): TestWebKit {
  const running: ChildProcess[] = [];
  let settings: string | undefined;
  let url = "";
  let written = "";
  let page: WebKitPage | undefined;

  beforeAll(async () => {
    if (!WEBKIT) return;
    const display = await startDisplay(running);
    url = `http://127.0.0.1:${await freePort()}`;
    if (dark) settings = await makeSettings();
    const wishes = settings && { GTK_THEME: "Adwaita:dark", XDG_CONFIG_HOME: settings };
    const env = { ...process.env, DISPLAY: display, GDK_BACKEND: "x11", NO_AT_BRIDGE: "1", ...wishes };
    const driver = spawn(DRIVER, [`--port=${new URL(url).port}`], { env, stdio: ["ignore", "pipe", "pipe"] });
    running.push(driver);
    for (const stream of [driver.stdout, driver.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        written += text;
      });
    }
    await answers(url, driver, () => written);
  }, START_MS);
  afterEach(async () => {
    await page?.closeBrowser();
    page = undefined;
  });
  afterAll(async () => {
    for (const child of running.reverse()) {
      if (child.exitCode === null && child.kill()) await once(child, "exit");
    }
    if (settings) await rm(settings, { recursive: true, force: true });
  });

  return {
    newPage: async () => {
      if (!WEBKIT) throw new Error("no WebKit: apt-get install webkit2gtk-driver xvfb");
      await page?.closeBrowser();
      page = await WebKitPage.open((method, path, body) => ask(method, `${url}${path}`, body));
      return page;
    },
  };
}

/** Where GTK finds that there is to be no motion. */
async function makeSettings(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "spacefeed-gtk-"));
  for (const version of ["gtk-3.0", "gtk-4.0"]) {
    await mkdir(join(folder, version));
    await writeFile(join(folder, version, "settings.ini"), "[Settings]\ngtk-enable-animations=false\n");
  }
  return folder;
}

/** A display of its own: its name. */
async function startDisplay(running: ChildProcess[]): Promise<string> {
  const args = ["-displayfd", "3", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"];
  const child = spawn(DISPLAY, args, { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  running.push(child);
  const [number] = await once(child.stdio[3] as NodeJS.ReadableStream, "data");
  return `:${String(number).trim()}`;
}

async function answers(url: string, driver: ChildProcess, written: () => string): Promise<void> {
  while (true) {
    if (driver.exitCode !== null) throw new Error(`WebKitWebDriver has ended: ${written()}`);
    const answer = await fetch(`${url}/status`).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const ask: WebDriver = async (method, url, body) => {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const { value } = (await (await fetch(url, init)).json()) as {
    value: { error?: string; message?: string };
  };
  if (value?.error) throw new Error(`WebKit: ${value.error}: ${value.message}`);
  return value;
};
