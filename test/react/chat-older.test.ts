import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { FAILED_REQUEST } from "../support/browser/browser.js";
import { ChatReader } from "./chat-reader.js";
import { hold } from "./gate.js";
import { show, useStage } from "./stage.js";

const stage = useStage();

/** A page on which older messages are loaded when the test says so. */
async function openWithGate(spaceId: string) {
  const page = await stage.open({ parts: [] });
  const gate = await hold(page, "intentions", "list");
  await show(page, { parts: [{ what: "Chat", spaceId }] });
  return { page, gate, chat: new ChatReader(page) };
}

const older = (page: Page) => page.getByRole("button", { name: /older messages/ });

for (const top of [0, 37, 400]) {
  test(`older messages leave the reader in place, ${top} pixels below the top`, async () => {
    const spaceId = await stage.newSpace();
    await stage.fill(spaceId, 250);
    const { page, gate, chat } = await openWithGate(spaceId);
    await chat.atEnd(/^message 250/);
    expect(gate.asked).toBe(0);
    await chat.goUpTo(top);
    await gate.untilAsked(1);
    await expect.poll(() => older(page).textContent()).toBe("Loading older messages …");

    const texts = await chat.textsInView();
    const places = () => Promise.all(texts.map((text) => chat.placeOf(text)));
    const before = await places();
    gate.open();
    await expect.poll(() => chat.list.evaluate((list) => list.scrollTop)).toBeGreaterThan(top + 1_000);
    await expect.poll(places).toEqual(before);
    // And no later correction moves them.
    await page.waitForTimeout(500);
    expect(await places()).toEqual(before);
  });
}

test("scrolling up loads all there is, and says where the conversation begins", async () => {
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 330);
  const { page, gate, chat } = await openWithGate(spaceId);
  gate.open();
  await chat.atEnd(/^message 330/);
  const beginning = page.getByText("The conversation begins here.");
  expect(await beginning.count()).toBe(0);
  await chat.goUpUntil(
    async () => (await beginning.count()) === 1 && (await chat.placeOf(/^message 1( |$)/)) !== null,
  );
  expect(gate.asked).toBe(3);
  await chat.scrollTo(0);
  await expect.poll(() => beginning.isVisible()).toBe(true);
  expect(await older(page).count()).toBe(0);
});

test("5,000 messages: the page has few of them at any time, and the reader gets to the first", async () => {
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 5_000);
  const { page, gate, chat } = await openWithGate(spaceId);
  gate.open();
  await chat.atEnd(/^message 5000/);
  let most = 0;
  await chat.goUpUntil(async () => {
    most = Math.max(most, await page.locator(".sf-message").count());
    return (await chat.placeOf(/^message 1( |$)/)) !== null;
  });
  expect(most).toBeLessThan(80);
  expect(gate.asked).toBeLessThanOrEqual(50);
  const end = async () => {
    await chat.list.press("End");
    return chat.fromEnd();
  };
  await expect.poll(end, { timeout: 15_000, interval: 500 }).toBeLessThanOrEqual(2);
  await chat.atEnd(/^message 5000/);
  await stage.say(spaceId, "the newest");
  await chat.atEnd("the newest");
}, 120_000);

test("messages that do not fill the list are followed by older ones at once", async () => {
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 120);
  const page = await stage.open({ parts: [{ what: "Chat", spaceId }] });
  const chat = new ChatReader(page);
  await chat.atEnd(/^message 120/);
  await page.locator(".sf-chat").evaluate((element) => {
    (element as HTMLElement).style.height = "20000px";
  });
  await expect.poll(() => page.getByText("The conversation begins here.").count()).toBe(1);
  await expect.poll(() => chat.message(/^message 1( |$)/).count()).toBe(1);
});

test("older messages that could not be had can be asked for again", async () => {
  stage.browser.allow(FAILED_REQUEST);
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 150);
  const page = await stage.open({ parts: [{ what: "Chat", spaceId }] });
  const chat = new ChatReader(page);
  await chat.atEnd(/^message 150/);
  await page.route("**/api/intentions", (route) => route.fulfill({ status: 503, body: "{}" }));
  await chat.goUpTo(0);
  await expect.poll(() => older(page).textContent()).toBe("Show older messages");
  await page.unroute("**/api/intentions");
  await older(page).click();
  await expect.poll(() => page.getByText("The conversation begins here.").count()).toBe(1);
});
