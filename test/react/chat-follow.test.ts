import { expect, test } from "vitest";
import { keepDoing } from "../support/process/keep-doing.js";
import { ChatReader } from "./chat-reader.js";
import { useStage } from "./stage.js";

const stage = useStage();

async function openChat(spaceId: string): Promise<ChatReader> {
  return new ChatReader(await stage.open({ parts: [{ what: "Chat", spaceId }] }));
}

test("a chat begins at its end, and follows new messages", async () => {
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 150);
  const chat = await openChat(spaceId);
  await chat.atEnd(/^message 150 /);
  for (let n = 1; n <= 5; n++) {
    await stage.say(spaceId, `${"news ".repeat(n * 40)}${n}.`);
    await chat.atEnd(`${n}.`);
  }
  expect(await chat.newMessages.count()).toBe(0);
});

test("a chat follows the last message while it grows", async () => {
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 40);
  const chat = await openChat(spaceId);
  await chat.atEnd(/^message 40 /);
  await stage.say(spaceId, "…", { id: `${spaceId} answer`, state: "active" });
  for (let words = 50; words <= 400; words += 50) {
    await stage.change(`${spaceId} answer`, `${"word ".repeat(words)}${words}`);
    await chat.atEnd(new RegExp(`word ${words}$`));
  }
  await stage.change(`${spaceId} answer`, "short after all", "complete");
  await chat.atEnd("short after all");
});

test("a chat follows the last message when it gets shorter and longer in turn", async () => {
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 40);
  const chat = await openChat(spaceId);
  await stage.say(spaceId, "…", { id: `${spaceId} answer`, state: "active" });
  await chat.atEnd("…");
  for (let n = 1; n <= 60; n++) {
    await stage.change(`${spaceId} answer`, `${"word ".repeat(n % 2 ? 300 : 10)}${n}.`);
  }
  await chat.atEnd("60.");
  await stage.say(spaceId, "and on");
  await chat.atEnd("and on");
});

test("a reader who has scrolled up stays in place, and is told how many messages are new", async () => {
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 90);
  const chat = await openChat(spaceId);
  await chat.atEnd(/^message 90/);
  await chat.leaveEnd(600);
  expect(await chat.newMessages.count()).toBe(0);
  const [seen] = (await chat.texts()).slice(2);
  const place = await chat.placeOf(seen as string);

  await stage.say(spaceId, "one", { id: `${spaceId} one`, state: "active" });
  await expect.poll(() => chat.newMessages.textContent()).toBe("1 new message");
  await stage.change(`${spaceId} one`, "one ".repeat(200), "complete");
  await stage.say(spaceId, "two");
  await expect.poll(() => chat.newMessages.textContent()).toBe("2 new messages");
  expect(await chat.placeOf(seen as string)).toBe(place);

  await chat.newMessages.click();
  await chat.atEnd("two");
  expect(await chat.newMessages.count()).toBe(0);
  expect(await chat.list.evaluate((list) => list === document.activeElement)).toBe(true);
  await stage.say(spaceId, "three");
  await chat.atEnd("three");
});

test("whoever scrolls back down is followed again", async () => {
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 60);
  const chat = await openChat(spaceId);
  await chat.atEnd(/^message 60/);
  await chat.leaveEnd(300);
  await stage.say(spaceId, "below");
  await expect.poll(() => chat.newMessages.count()).toBe(1);
  await chat.returnToEnd();
  await chat.atEnd("below");
  await expect.poll(() => chat.newMessages.count()).toBe(0);
  await stage.say(spaceId, "at the end");
  await chat.atEnd("at the end");
});

test("a reader gets away from a message that grows quickly", async () => {
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 60);
  const chat = await openChat(spaceId);
  await stage.say(spaceId, "…", { id: `${spaceId} answer`, state: "active" });
  await chat.atEnd("…");
  const growing = keepDoing((words) => stage.change(`${spaceId} answer`, "word ".repeat(words % 500)));
  await chat.leaveEnd(500);
  const place = await chat.list.evaluate((list) => list.scrollTop);
  await stage.say(spaceId, "after it");
  await expect.poll(() => chat.newMessages.count()).toBe(1);
  expect(Math.abs((await chat.list.evaluate((list) => list.scrollTop)) - place)).toBeLessThan(100);
  await growing.stop();
});

test("whoever says something himself goes to the end", async () => {
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 60);
  const chat = await openChat(spaceId);
  await chat.atEnd(/^message 60/);
  await chat.leaveEnd(600);
  await chat.field.fill("mine");
  await chat.field.press("Enter");
  await chat.atEnd("mine");
});

test("a list that gets smaller, and larger, stays at its end", async () => {
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 60);
  const chat = await openChat(spaceId);
  await chat.atEnd(/^message 60/);
  for (const height of ["150px", "390px", "60px"]) {
    await chat.list.evaluate((list, height) => {
      list.style.flex = `0 0 ${height}`;
    }, height);
    await expect.poll(() => chat.list.evaluate((list) => `${list.clientHeight}px`)).toBe(height);
    await chat.atEnd(/^message 60/);
  }
});

for (const slowness of [1, 6]) {
  test(`many messages of very different heights are followed, on a machine ${slowness} times slower`, async () => {
    const spaceId = await stage.newSpace();
    await stage.fill(spaceId, 120);
    const page = await stage.open({ parts: [{ what: "Chat", spaceId }] });
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Emulation.setCPUThrottlingRate", { rate: slowness });
    const chat = new ChatReader(page);
    await chat.atEnd(/^message 120/);
    const write = (batch: string, count: number) =>
      stage.session.query(
        `insert into public.intentions (location_id, content)
         select $1, jsonb_build_array(repeat('tall and taller ', 1 + n * 7919 % 97) || n || ' ' || $2::text)
         from generate_series(1, $3::integer) n`,
        [spaceId, batch, count],
      );
    for (let n = 1; n <= 12; n++) {
      const count = 1 + ((n * 13) % 30);
      await write(`of ${n}.`, count);
      await chat.atEnd(` ${count} of ${n}.`);
    }
    for (const [n, way] of ["button", "wheel", "button", "wheel"].entries()) {
      await chat.leaveEnd(1_000);
      await write(`by ${way} ${n}`, 40);
      await expect.poll(() => chat.newMessages.textContent()).toBe("40 new messages");
      if (way === "button") await chat.newMessages.click();
      else await chat.returnToEnd();
      await chat.atEnd(` 40 by ${way} ${n}`);
      await expect.poll(() => chat.newMessages.count()).toBe(0);
    }
  }, 120_000);
}
