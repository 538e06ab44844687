import { expect, test } from "vitest";
import { useStage } from "./stage.js";

const stage = useStage();

test("a message that is being written is stopped with the keyboard, and the focus stays in the chat", async () => {
  const spaceId = await stage.newSpace();
  const ownerId = await stage.join(spaceId, "Pip", "bot");
  await stage.say(spaceId, "It begins", { id: "grows", state: "active", ownerId });
  const page = await stage.open({ parts: [{ what: "Chat", spaceId, canStop: true }] });
  const message = page.locator(".sf-message");
  const stop = page.getByRole("button", { name: "Stop Pip" });
  await stop.waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  expect(await stop.evaluate((button) => button === document.activeElement)).toBe(true);
  await page.keyboard.press("Enter");
  await expect
    .poll(() => stage.session.value("select state from intentions where id = 'grows'"))
    .toBe("cancelled");
  await expect.poll(() => message.getAttribute("data-state")).toBe("cancelled");
  expect(await stop.count()).toBe(0);
  expect(await message.textContent()).toMatch(/It begins.*Cancelled$/);
  expect(await page.evaluate(() => document.activeElement?.className)).toBe("sf-chat-list");
});

test("there is no such button unless the page wants it, nor at a message that is whole", async () => {
  const spaceId = await stage.newSpace();
  await stage.say(spaceId, "It grows", { id: "still", state: "active" });
  await stage.say(spaceId, "I am whole", { id: "whole" });
  const parts = [true, false].map((canStop) => ({ what: "Chat" as const, spaceId, canStop }));
  const page = await stage.open({ parts });
  await page.getByRole("button", { name: "Stop Somebody" }).waitFor();
  await expect.poll(() => page.locator(".sf-message").count()).toBe(4);
  expect(await page.getByRole("button", { name: /^Stop/ }).count()).toBe(1);
});
