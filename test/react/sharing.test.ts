import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import type { UseSpaceDataResult } from "../../src/react/index.js";
import { hold } from "./gate.js";
import type { Part } from "./pages/parts.js";
import { show, useStage } from "./stage.js";

const stage = useStage();

/** A page of its own that counts the streams which it has ever asked for. */
async function openCounting() {
  const page = await stage.open({ parts: [] });
  const asked: string[] = [];
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.pathname === "/api/stream") asked.push(url.searchParams.get("spaceId") ?? "");
  });
  return { page, asked };
}

const connected = (page: Page, as = "data") =>
  page.evaluate((as) => (window.stage.seen[as] as UseSpaceDataResult | undefined)?.connected, as);

test("components of one space share one client, which goes when the last of them has gone", async () => {
  const spaceId = await stage.newSpace();
  const { page, asked } = await openCounting();
  const parts: Part[] = [
    { what: "Chat", spaceId },
    { what: "BeingPresence", spaceId },
    { what: "useSpaceData", spaceId },
    { what: "useSpaceClient", spaceId },
  ];
  await show(page, { parts });
  await expect.poll(() => connected(page)).toBe(true);
  await expect.poll(() => stage.streams()).toBe(1);
  await show(page, { parts: parts.slice(0, 2) });
  await page.waitForTimeout(1_500); // longer than a client lingers
  expect([asked, await stage.streams()]).toEqual([[spaceId], 1]);
  await show(page, { parts: [] });
  await expect.poll(() => stage.streams()).toBe(0);
  expect(asked).toEqual([spaceId]);

  await show(page, { parts });
  await expect.poll(() => stage.streams()).toBe(1);
  expect(asked).toEqual([spaceId, spaceId]);
});

test("StrictMode, which mounts twice, connects once", async () => {
  const spaceId = await stage.newSpace();
  const { page, asked } = await openCounting();
  await show(page, {
    strict: true,
    parts: [
      { what: "useSpaceData", spaceId },
      { what: "Chat", spaceId },
    ],
  });
  await expect.poll(() => connected(page)).toBe(true);
  await expect.poll(() => stage.streams()).toBe(1);
  expect(asked).toEqual([spaceId]);
  await show(page, { strict: true, parts: [] });
  await expect.poll(() => stage.streams()).toBe(0);
});

test("components that go and come back at once, as below another parent, do not reconnect", async () => {
  const spaceId = await stage.newSpace();
  const { page, asked } = await openCounting();
  const parts: Part[] = [{ what: "useSpaceData", spaceId }];
  await show(page, { parts });
  await expect.poll(() => connected(page)).toBe(true);
  await page.evaluate(async (parts) => {
    for (let n = 0; n < 20; n++) {
      window.stage.show({ parts: n % 2 ? parts : [] });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }, parts);
  await page.waitForTimeout(1_500); // longer than a client lingers
  expect(await connected(page)).toBe(true);
  await expect.poll(() => stage.streams()).toBe(1);
  expect(asked).toEqual([spaceId]);
});

test("another space is another client, and many changes of the space leave none behind", async () => {
  const spaces = [await stage.newSpace(), await stage.newSpace(), await stage.newSpace()];
  const { page } = await openCounting();
  for (let n = 0; n < 12; n++) {
    const spaceId = spaces[n % 3] as string;
    await show(page, {
      strict: true,
      parts: [
        { what: "useSpaceData", spaceId },
        { what: "Chat", spaceId },
      ],
    });
    await expect
      .poll(() =>
        page.evaluate(() => (window.stage.seen.data as UseSpaceDataResult).beings.map(({ id }) => id)),
      )
      .toEqual([spaceId]);
  }
  await expect.poll(() => stage.streams()).toBe(1);
  await show(page, { parts: [] });
  await expect.poll(() => stage.streams()).toBe(0);
});

test("other options are another client", async () => {
  const spaceId = await stage.newSpace();
  const { page } = await openCounting();
  const named = (name: string, as: string): Part => {
    return { what: "useSpaceData", spaceId, as, options: { tabs: false, headers: { "X-Name": name } } };
  };
  await show(page, { parts: [named("a", "a"), named("b", "b"), named("a", "again")] });
  for (const as of ["a", "b", "again"]) await expect.poll(() => connected(page, as)).toBe(true);
  await expect.poll(() => stage.streams()).toBe(2);
});

test("a change that is on its way arrives, though the component has gone", async () => {
  const spaceId = await stage.newSpace();
  const { page } = await openCounting();
  await show(page, { parts: [{ what: "useSpaceData", spaceId }] });
  await expect.poll(() => connected(page)).toBe(true);
  const gate = await hold(page, "intentions", "create");
  const stored = page.evaluate(async () => {
    const { createIntention } = window.stage.seen.data as UseSpaceDataResult;
    const result = createIntention({ content: ["last words"] });
    window.stage.show({ parts: [] });
    return (await result).content;
  });
  await gate.untilAsked(1);
  await page.waitForTimeout(1_500); // longer than a client lingers
  expect(await stage.streams()).toBe(1);
  gate.open();
  expect(await stored).toEqual(["last words"]);
  await expect.poll(() => stage.streams()).toBe(0);
});

test("a client that nobody uses any more leaves no timer behind", async () => {
  const spaceId = await stage.newSpace();
  const { page } = await openCounting();
  await page.evaluate(() => {
    const live = new Set<unknown>();
    const { setTimeout, clearTimeout, setInterval, clearInterval } = window;
    Object.assign(window, {
      live,
      setTimeout: (run: () => void, ms?: number) => {
        const timer = setTimeout(() => {
          live.delete(timer);
          run();
        }, ms);
        live.add(timer);
        return timer;
      },
      clearTimeout: (timer: number) => {
        live.delete(timer);
        clearTimeout(timer);
      },
      setInterval: (run: () => void, ms?: number) => {
        const timer = setInterval(run, ms);
        live.add(timer);
        return timer;
      },
      clearInterval: (timer: number) => {
        live.delete(timer);
        clearInterval(timer);
      },
    });
  });
  const live = () => page.evaluate(() => (window as unknown as { live: Set<unknown> }).live.size);
  await show(page, {
    strict: true,
    parts: [
      { what: "useSpaceData", spaceId },
      { what: "Chat", spaceId },
    ],
  });
  await expect.poll(() => connected(page)).toBe(true);
  expect(await live()).toBeGreaterThan(0);
  await show(page, { parts: [] });
  await expect.poll(() => stage.streams()).toBe(0);
  await expect.poll(live).toBe(0);
});
