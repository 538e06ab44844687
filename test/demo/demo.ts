import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContextOptions, Page } from "playwright-core";
import { afterEach, expect } from "vitest";
import type { TestBrowser } from "../support/browser/browser.js";
import type { TestDatabase } from "../support/postgres/database.js";
import { type Command, useCommand } from "../support/process/command.js";
import { useRunning } from "../support/process/running.js";

export interface RunningDemo {
  url: string;
  /** Ends the process as Ctrl-C does, and waits until it has. */
  stop(): Promise<void>;
  command: Command;
}

/** Starts Spacefeed as `npm start` does, in a process of its own: relay, page and bot. Builds it first. */
export function useServe(): (env: Record<string, string>) => Promise<RunningDemo> {
  const spacefeed = useCommand();
  return async (env) => {
    const command = spacefeed(["serve"], { PORT: "0", LOG_LEVEL: "warn", ...env });
    const [, url] = await command.until("stdout", /Spacefeed is at (\S+).*\n\n/s);
    return {
      url: url as string,
      command,
      stop: async () => {
        command.child.kill("SIGTERM");
        await command.end;
      },
    };
  };
}

/** One demo for a test file. What its process complains of fails the test. */
export function useDemo(db: TestDatabase): { readonly current: RunningDemo } {
  const serve = useServe();
  const demo = useRunning(
    () => serve({ DATABASE_URL: db.url, DEMO: "true" }),
    ({ stop }) => stop(),
  );
  afterEach(() => expect(demo.current.command.stderr).toBe(""));
  return demo;
}

/** One demo with a Postgres of its own for a test file, as `npm start` makes it. */
export function useEmbeddedDemo(): { readonly current: RunningDemo } {
  const serve = useServe();
  let dataDir: string;
  return useRunning(
    async () => {
      dataDir = await mkdtemp(join(tmpdir(), "spacefeed-test-"));
      await chmod(dataDir, 0o755); // root's Postgres is another user
      return serve({ DATA_DIR: dataDir });
    },
    async ({ stop }) => {
      await stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  );
}

/** Somebody with a browser of his own who looks at the demo. */
export class Visitor {
  private constructor(readonly page: Page) {}

  /** Opens the page, and waits until it is live and has let the visitor in. */
  static async come(
    browser: TestBrowser,
    url: string,
    options: BrowserContextOptions = {},
  ): Promise<Visitor> {
    const visitor = new Visitor(
      await browser.newPage({ viewport: { width: 1280, height: 800 }, ...options }),
    );
    await visitor.page.goto(url);
    await visitor.isLive();
    return visitor;
  }

  async isLive(): Promise<void> {
    await this.page.getByRole("status").filter({ hasText: "Realtime" }).waitFor();
    await expect.poll(() => this.name()).not.toBe("");
  }

  /** The name in the field of one's own name. */
  async name(): Promise<string> {
    const button = this.page.locator(".sf-name-button:enabled");
    return (await button.count()) === 1 ? ((await button.textContent()) ?? "") : "";
  }

  async rename(name: string): Promise<void> {
    await this.page.getByRole("button", { name: "Your name" }).click();
    await this.page.getByRole("textbox", { name: "Your name" }).fill(name);
    await this.page.keyboard.press("Enter");
    await expect.poll(() => this.name()).toBe(name);
  }

  async say(text: string): Promise<void> {
    await this.page.getByRole("textbox", { name: "Write a message" }).fill(text);
    await this.page.keyboard.press("Enter");
  }

  async enter(space: "The lobby" | "Workshop"): Promise<void> {
    await this.page.getByRole("link", { name: space }).click();
  }

  /** The messages that are in view: who says what, and in which state. */
  messages(): Promise<{ text: string; state: string; isOwn: boolean }[]> {
    return this.page.locator(".sf-message").evaluateAll((all) =>
      all.map((message) => ({
        text: message.querySelector(".said")?.textContent ?? "",
        state: (message as HTMLElement).dataset.state ?? "",
        isOwn: message.hasAttribute("data-own"),
      })),
    );
  }

  /** Waits until a message is shown whose text matches, and is whole. */
  async sees(text: string | RegExp): Promise<string> {
    let found: string | undefined;
    await expect
      .poll(async () => {
        const whole = (await this.messages()).filter(({ state }) => state === "complete");
        found = whole.findLast((message) =>
          typeof text === "string" ? message.text === text : text.test(message.text),
        )?.text;
        return found !== undefined;
      })
      .toBe(true);
    return found as string;
  }

  /** The names of who belongs here. */
  people(): Promise<string[]> {
    return this.page.locator(".sf-being .being-name").allTextContents();
  }
}
