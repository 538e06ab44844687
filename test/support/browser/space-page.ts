import type { BrowserContext, Page, Request } from "playwright-core";
import { expect } from "vitest";
import type { Mode, SpaceClientOptions } from "../../../src/client/index.js";
import type {} from "../../browser/pages/space.js"; // what it puts on globalThis
import type { Conversation } from "./conversation.js";

/** What goes into a page: functions stay outside. */
export type PageOptions = Omit<SpaceClientOptions, "fetch" | "headers"> & {
  headers?: Record<string, string>;
};

/** A tab with `pages/space.ts` in it. */
export class SpacePage {
  readonly #lines = new Set<Request>();
  #options: PageOptions | undefined;

  private constructor(
    readonly page: Page,
    readonly url: string,
  ) {
    page.on("request", (request) => {
      if (new URL(request.url()).pathname === "/api/stream") this.#lines.add(request);
    });
    const gone = (request: Request) => this.#lines.delete(request);
    page.on("requestfinished", gone);
    page.on("requestfailed", gone);
  }

  /** A new tab, without a client yet. */
  static async visit(context: BrowserContext, url: string): Promise<SpacePage> {
    const tab = new SpacePage(await context.newPage(), url);
    await tab.page.goto(url);
    return tab;
  }

  /** A new tab that follows a space. */
  static async open(context: BrowserContext, url: string, options: PageOptions): Promise<SpacePage> {
    const tab = await SpacePage.visit(context, url);
    await tab.follow(options);
    return tab;
  }

  async follow(options: PageOptions): Promise<void> {
    this.#options = options;
    await this.page.evaluate((options) => globalThis.spacePage.open(options), options);
  }

  /** As a person reloads a page: the client is opened anew. */
  async reload(): Promise<void> {
    await this.page.reload();
    if (this.#options) await this.follow(this.#options);
  }

  /** A stream to the relay is open here: this is the tab that leads. */
  get hasLine(): boolean {
    return this.#lines.size > 0;
  }

  view() {
    return this.page.evaluate(() => globalThis.spacePage.view());
  }

  /** Says something, and waits until the server has it. */
  async say(...texts: string[]): Promise<void> {
    await this.page.evaluate((texts) => globalThis.spacePage.say(...texts), texts);
  }

  /** Says something, and waits for nothing. */
  async begin(...texts: string[]): Promise<void> {
    await this.page.evaluate((texts) => {
      globalThis.spacePage.say(...texts).catch(() => {}); // it may be closed before that is sent
    }, texts);
  }

  async reaches(mode: Mode): Promise<void> {
    await expect.poll(async () => (await this.view()).mode).toBe(mode);
  }

  async shows(texts: readonly string[]): Promise<void> {
    await expect.poll(async () => (await this.view()).texts).toEqual(texts);
  }
}

/** Each tab has what the database has, in its order, and was never shown anything wrong on the way there. */
export async function settled(conversation: Conversation, ...tabs: SpacePage[]): Promise<void> {
  for (const tab of tabs) {
    await expect
      .poll(async () => {
        const { texts, pending } = await tab.view();
        return { texts, pending };
      })
      .toEqual({ texts: await conversation.texts(), pending: [] });
    expect((await tab.view()).faults).toEqual([]);
  }
}

/** Waits until exactly one of these tabs has a stream, and returns it. */
export async function leaderOf(tabs: readonly SpacePage[]): Promise<SpacePage> {
  await expect.poll(() => tabs.filter((tab) => tab.hasLine).length).toBe(1);
  return tabs.find((tab) => tab.hasLine) as SpacePage;
}
