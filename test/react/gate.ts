import type { Page, Request } from "playwright-core";
import { expect } from "vitest";

/** Requests of a page that wait until the test lets them go on. */
export interface Gate {
  /** How many have come so far. */
  readonly asked: number;
  /** Waits until so many have come. */
  untilAsked(count: number): Promise<void>;
  /** Lets those that wait go on, and all that come. */
  open(): void;
}

/** Holds the requests to the API for beings or messages with this action. */
export async function hold(page: Page, path: "beings" | "intentions", action: string): Promise<Gate> {
  let asked = 0;
  let isOpen = false;
  const waiting: (() => void)[] = [];
  const isMeant = (request: Request) => request.postDataJSON().action === action;
  await page.route(`**/api/${path}`, async (route) => {
    if (isMeant(route.request())) {
      asked++;
      if (!isOpen) await new Promise<void>((resolve) => waiting.push(resolve));
    }
    await route.continue();
  });
  return {
    get asked() {
      return asked;
    },
    untilAsked: (count) => expect.poll(() => asked, { timeout: 15_000 }).toBe(count),
    open: () => {
      isOpen = true;
      for (const go of waiting.splice(0)) go();
    },
  };
}
