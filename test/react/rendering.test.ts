import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { ChatReader } from "./chat-reader.js";
import { useStage } from "./stage.js";

const stage = useStage();

const renders = (page: Page) => page.evaluate(() => ({ ...window.stage.renders }));

/** What renders while something is done, and until it is seen. */
async function rendersDuring(page: Page, work: () => Promise<void>): Promise<Record<string, number>> {
  const before = await renders(page);
  await work();
  const after = await renders(page);
  const difference = (name: string) => (after[name] ?? 0) - (before[name] ?? 0);
  const names = Object.keys(after).filter((name) => difference(name) > 0);
  return Object.fromEntries(names.map((name) => [name, difference(name)]));
}

/** A chat of ten messages that stands still. */
async function openQuiet() {
  const spaceId = await stage.newSpace();
  const ada = await stage.join(spaceId, "Ada");
  for (let n = 1; n <= 10; n++) {
    await stage.say(spaceId, `message ${n}`, { id: `${spaceId} m${n}`, at: n, ownerId: ada });
  }
  const page = await stage.open({
    parts: [
      { what: "Chat", spaceId },
      { what: "BeingPresence", spaceId },
    ],
  });
  const chat = new ChatReader(page);
  await chat.atEnd("message 10");
  let last = "";
  const isQuiet = async () => {
    const before = last;
    last = JSON.stringify(await renders(page));
    return before === last;
  };
  await expect.poll(isQuiet, { interval: 500, timeout: 15_000 }).toBe(true);
  return { spaceId, ada, page, chat };
}

test("the count of renders counts: each message has rendered, and a hidden one has not", async () => {
  const { spaceId, page } = await openQuiet();
  const counted = await renders(page);
  for (let n = 1; n <= 10; n++) expect(counted[`ChatMessage ${spaceId} m${n}`]).toBeGreaterThan(0);
  expect(counted.ChatList).toBeGreaterThan(0);
  expect(counted.BeingItem).toBe(2);
});

test("a change to one message renders that message's row, not the list and no other row", async () => {
  const { spaceId, page, chat } = await openQuiet();
  const id = `${spaceId} m4`;
  const rendered = await rendersDuring(page, async () => {
    await stage.change(id, "message 4 has changed", "complete");
    await expect.poll(() => chat.message("message 4 has changed").count()).toBe(1);
  });
  expect(rendered).toEqual({ ChatMessage: 1, [`ChatMessage ${id}`]: 1 });
});

test("a message that grows renders its own row, and not the other ones", async () => {
  const { spaceId, page, chat } = await openQuiet();
  const id = `${spaceId} m10`;
  const rendered = await rendersDuring(page, async () => {
    for (let words = 100; words <= 500; words += 100) {
      await stage.change(id, `${"word ".repeat(words)}${words}.`);
      await chat.atEnd(`${words}.`);
    }
  });
  const rows = Object.keys(rendered).filter((name) => name.startsWith("ChatMessage "));
  expect(rows).toEqual([`ChatMessage ${id}`]);
  expect(rendered[`ChatMessage ${id}`]).toBe(5);
  expect(Object.keys(rendered)).not.toContain("ChatList");
  expect(Object.keys(rendered)).not.toContain("BeingItem");
});

test("a new message renders itself, and not the rows before it", async () => {
  const { spaceId, page, chat } = await openQuiet();
  const rendered = await rendersDuring(page, async () => {
    await stage.say(spaceId, "message 11", { id: `${spaceId} m11` });
    await chat.atEnd("message 11");
  });
  const rows = Object.keys(rendered).filter((name) => name.startsWith("ChatMessage "));
  expect(rows).toEqual([`ChatMessage ${spaceId} m11`]);
});

test("another name renders where it stands, and no message's text", async () => {
  const { ada, page } = await openQuiet();
  const rendered = await rendersDuring(page, async () => {
    await stage.session.query("update public.beings set name = 'Countess' where id = $1", [ada]);
    await expect.poll(() => page.locator(".sf-message-owner").textContent()).toBe("Countess");
  });
  expect(rendered).toEqual({ BeingPresence: 1, BeingItem: 1, MessageHead: 1 });
});

test("someone's typing renders no message", async () => {
  const { page, chat } = await openQuiet();
  const rendered = await rendersDuring(page, async () => {
    await chat.field.pressSequentially("hello");
  });
  expect(rendered).toEqual({ ChatComposer: 5 });
});
