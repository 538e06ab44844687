import type { Page } from "playwright-core";
import { expect } from "vitest";

/** Somebody who reads a chat: what they do with it, and what they see of it. */
export class ChatReader {
  readonly #page: Page;
  readonly list;
  readonly field;
  readonly newMessages;

  constructor(page: Page) {
    this.#page = page;
    this.list = page.getByRole("region", { name: "Messages" });
    this.field = page.getByRole("textbox", { name: "Message" });
    this.newMessages = page.getByRole("button", { name: /new messages?$/ });
  }

  /** The texts of the messages that are in the page. */
  texts(): Promise<string[]> {
    return this.#page.locator(".sf-message-content").allTextContents();
  }

  message(text: string | RegExp) {
    return this.#page.locator(".sf-message", {
      has: this.#page.locator(".sf-message-content", { hasText: text }),
    });
  }

  /** Pixels from what is seen to the end of the list. */
  fromEnd(): Promise<number> {
    return this.list.evaluate((list) => list.scrollHeight - list.clientHeight - list.scrollTop);
  }

  /** Waits until the list shows its end, and nothing moves any more. */
  async atEnd(lastText: string | RegExp): Promise<void> {
    await expect.poll(() => this.message(lastText).count(), { timeout: 15_000 }).toBe(1);
    await expect.poll(() => this.fromEnd(), { timeout: 15_000 }).toBeLessThanOrEqual(2);
  }

  /** Turns the mouse wheel until the end of the list is at least so many pixels away. */
  async leaveEnd(pixels: number): Promise<void> {
    await this.list.hover();
    // The list finds its first place in the first moments, and may take the reader back to it once.
    const turn = async () => {
      if ((await this.fromEnd()) < pixels) await this.#page.mouse.wheel(0, -pixels);
      return this.fromEnd();
    };
    await expect.poll(turn, { timeout: 15_000, interval: 250 }).toBeGreaterThanOrEqual(pixels);
    // A turn of the wheel is done later than it is answered, and a message that grows is away from the end by itself.
    let place = Number.NaN;
    const standsStill = async () => {
      const before = place;
      place = await this.list.evaluate((list) => list.scrollTop);
      return place === before;
    };
    await expect.poll(standsStill, { timeout: 15_000, interval: 150 }).toBe(true);
  }

  async returnToEnd(): Promise<void> {
    await this.list.hover();
    await this.#page.mouse.wheel(0, 100_000);
  }

  /** The reader drags the scroll bar. */
  async scrollTo(top: number): Promise<void> {
    await this.#drag(() => this.list.evaluate((list, top) => list.scrollTo({ top }), top));
  }

  /** Drags up in steps, so that what is above is measured, until the list stands still at this place. */
  async goUpTo(top: number): Promise<void> {
    const step = () =>
      this.list.evaluate(
        (list, top) =>
          new Promise<number>((resolve) => {
            list.scrollTop = Math.max(top, list.scrollTop - 300);
            requestAnimationFrame(() => requestAnimationFrame(() => resolve(list.scrollTop)));
          }),
        top,
      );
    await this.#drag(async () => {
      await expect.poll(step, { timeout: 30_000, interval: 10 }).toBe(top);
      await expect.poll(step, { timeout: 30_000, interval: 10 }).toBe(top);
    });
  }

  /** There are no scroll bars without a window: the pointer is held in the list meanwhile. */
  async #drag(move: () => Promise<void>): Promise<void> {
    await this.list.hover();
    await this.#page.mouse.down();
    await move();
    await this.#page.mouse.up();
  }

  /** Turns the wheel up until something is so. */
  async goUpUntil(isSo: () => Promise<boolean>): Promise<void> {
    await this.list.hover();
    const deadline = Date.now() + 100_000;
    while (!(await isSo())) {
      if (Date.now() > deadline) throw new Error("the reader has scrolled up for long, and it is not so yet");
      await this.#page.mouse.wheel(0, -1_500);
    }
  }

  /** The messages of which something is seen. */
  textsInView(): Promise<string[]> {
    return this.list.evaluate((list) => {
      const { top, bottom } = list.getBoundingClientRect();
      const isSeen = (element: Element) => {
        const box = element.getBoundingClientRect();
        return box.bottom > top && box.top < bottom;
      };
      return [...list.querySelectorAll(".sf-message-content")].filter(isSeen).map((seen) => seen.textContent);
    });
  }

  /** Where a message is, from the top of the list; null while it is not in the page. */
  async placeOf(text: string | RegExp): Promise<number | null> {
    const message = this.message(text);
    if ((await message.count()) === 0) return null;
    const [messageBox, listBox] = [await message.first().boundingBox(), await this.list.boundingBox()];
    return messageBox && listBox && messageBox.y - listBox.y;
  }
}
