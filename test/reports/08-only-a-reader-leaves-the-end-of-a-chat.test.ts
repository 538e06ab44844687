import { describe, expect, test } from "vitest";
import type { Scene } from "../react/pages/parts.js";
import { useStage } from "../react/stage.js";
import { useEngines } from "../support/browser/engines.js";
import type { Tab } from "../support/browser/tab.js";

const stage = useStage();

const LIST = ".sf-chat-list";
const NEW = ".sf-chat-new";
/** Lines of messages. */
const HEIGHTS = {
  "of many heights": [1, 60, 3, 30, 1, 12, 80, 2],
  "short and long in turn": Array(10).fill([1, 12]).flat(),
};

describe.each(useEngines())("$name (skipped where it is not installed)", ({ isHere, open }) => {
  const openChat = async (spaceId: string) => {
    const tab = await open();
    await tab.goto(stage.site.url);
    const scene: Scene = { parts: [{ what: "Chat", spaceId }] };
    // WebKit's driver may say that the page is there before its script has run.
    await expect.poll(() => tab.evaluate(() => "stage" in window, null)).toBe(true);
    await tab.evaluate((scene) => window.stage.show(scene), scene);
    return tab;
  };
  const say = (spaceId: string, lines: number, n: number) =>
    stage.say(spaceId, Array.from({ length: lines }, (_, line) => `line ${line + 1} of ${n}`).join("\n"));

  for (const [which, heights] of Object.entries(HEIGHTS)) {
    test.skipIf(!isHere)(`a chat opens at its end: messages ${which}`, async () => {
      const spaceId = await stage.newSpace();
      for (const [n, lines] of heights.entries()) await say(spaceId, lines, n);
      expect(await restsAt(await openChat(spaceId), heights.length)).toBeLessThanOrEqual(2);
    });
  }

  test.skipIf(!isHere)("a chat follows messages of many heights that come one after the other", async () => {
    const spaceId = await stage.newSpace();
    const tab = await openChat(spaceId);
    for (const [n, lines] of HEIGHTS["of many heights"].entries()) {
      await say(spaceId, lines, n);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await restsAt(tab, 8)).toBeLessThanOrEqual(2);
  });

  test.skipIf(!isHere)(
    "a reader leaves the end with the wheel and with a key, and stays where they are",
    async () => {
      const spaceId = await stage.newSpace();
      for (let n = 1; n <= 20; n++) await say(spaceId, 3, n);
      const tab = await openChat(spaceId);
      expect(await restsAt(tab, 20)).toBeLessThanOrEqual(2);
      const ways = [() => tab.wheel(LIST, -400), () => tab.press("PageUp")];
      for (const [round, leave] of ways.entries()) {
        await leave();
        await expect.poll(() => fromEnd(tab)).toBeGreaterThan(100);
        const away = await restsAt(tab, 20 + 8 * round);
        for (const [n, lines] of HEIGHTS["of many heights"].entries())
          await say(spaceId, lines, 100 * (round + 1) + n);
        await expect.poll(() => newMessages(tab)).toBe("8 new messages");
        expect(await restsAt(tab, 28 + 8 * round)).toBeGreaterThan(away + 300);

        // It gives the list the focus, so that keys scroll.
        await tab.evaluate((button) => document.querySelector<HTMLElement>(button)?.click(), NEW);
        expect(await restsAt(tab, 28 + 8 * round)).toBeLessThanOrEqual(2);
        expect(await newMessages(tab)).toBe("");
      }
    },
  );
});

const fromEnd = (tab: Tab) =>
  tab.evaluate((list) => {
    const { scrollHeight, clientHeight, scrollTop } = document.querySelector(list) as HTMLElement;
    return scrollHeight - clientHeight - scrollTop;
  }, LIST);

const newMessages = (tab: Tab) =>
  tab.evaluate((button) => document.querySelector(button)?.textContent ?? "", NEW);

/** Pixels from the end of the list, when so many messages are in it and nothing has moved for 40 frames. */
function restsAt(tab: Tab, messages: number): Promise<number> {
  return tab.evaluate(
    async ([selector, messages]) => {
      for (let [frames, before] = [0, ""]; ; ) {
        await new Promise((resolve) => requestAnimationFrame(resolve));
        const list = document.querySelector(selector);
        if (!list?.querySelector(`[aria-setsize="${messages}"]`)) continue;
        const { scrollHeight, clientHeight, scrollTop } = list;
        const now = [scrollHeight, clientHeight, scrollTop].join();
        frames = now === before ? frames + 1 : 0;
        before = now;
        if (frames === 40) return scrollHeight - clientHeight - scrollTop;
      }
    },
    [LIST, messages] as const,
  );
}
