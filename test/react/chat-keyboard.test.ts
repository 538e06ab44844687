import { expect, test } from "vitest";
import { ChatReader } from "./chat-reader.js";
import { useStage } from "./stage.js";

const stage = useStage();

test("everything in a chat is reached with Tab, in the order in which it stands", async () => {
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 150);
  const page = await stage.open({ parts: [{ what: "Chat", spaceId }] });
  const chat = new ChatReader(page);
  await chat.atEnd(/^message 150/);
  await chat.leaveEnd(300);
  await stage.say(spaceId, "below");
  await expect.poll(() => chat.newMessages.count()).toBe(1);
  const reached: string[] = [];
  for (let n = 0; n < 5; n++) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => document.activeElement?.className ?? ""));
  }
  expect(reached).toEqual([
    "sf-chat-list",
    "sf-chat-older",
    "sf-chat-new",
    "sf-composer-field",
    "sf-composer-send",
  ]);
});

test("the list scrolls with the keyboard, and shows that it has the focus", async () => {
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 60);
  const page = await stage.open({ parts: [{ what: "Chat", spaceId }] });
  const chat = new ChatReader(page);
  await chat.atEnd(/^message 60/);
  await page.keyboard.press("Tab");
  expect(await chat.list.evaluate((list) => getComputedStyle(list).outlineStyle)).not.toBe("none");
  await page.keyboard.press("PageUp");
  await expect.poll(() => chat.fromEnd()).toBeGreaterThan(200);
  await stage.say(spaceId, "does not take the reader along");
  await expect.poll(() => chat.newMessages.count()).toBe(1);
  expect(await chat.fromEnd()).toBeGreaterThan(200);
  const down = async () => {
    await page.keyboard.press("PageDown");
    return chat.fromEnd();
  };
  await expect.poll(down, { timeout: 15_000 }).toBeLessThanOrEqual(2);
});

test("a chat is a region, in it is one with a list of messages that know their places", async () => {
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 40);
  const page = await stage.open({ parts: [{ what: "Chat", spaceId, className: "mine" }] });
  const chat = new ChatReader(page);
  await chat.atEnd(/^message 40/);
  const region = page.getByRole("region", { name: "Chat" });
  expect(await region.getAttribute("class")).toBe("sf-chat mine");
  const items = region.getByRole("region", { name: "Messages" }).getByRole("list").getByRole("listitem");
  const last = items.last();
  await expect
    .poll(async () => [await last.getAttribute("aria-posinset"), await last.getAttribute("aria-setsize")])
    .toEqual(["40", "40"]);
  expect(await page.getByLabel("Message", { exact: true }).evaluate((field) => field.tagName)).toBe(
    "TEXTAREA",
  );
});

test("only the hidden region and the mechanics of the list have styles of their own", async () => {
  const spaceId = await stage.newSpace();
  const ada = await stage.join(spaceId, "Ada");
  await stage.say(spaceId, "hello", { ownerId: ada, state: "active" });
  const parts = [
    { what: "Chat" as const, spaceId, ownerId: ada },
    { what: "BeingPresence" as const, spaceId },
    { what: "InlineBeingName" as const, spaceId, beingId: ada },
  ];
  const page = await stage.open({ parts });
  await new ChatReader(page).atEnd("hello");
  const styled = await page
    .locator("#root [style]")
    .evaluateAll((elements) =>
      elements
        .filter((element) => !element.closest(".sf-chat-list") || element.closest(".sf-message"))
        .map((element) => element.className),
    );
  expect(styled).toEqual(["sf-chat-announcer"]);
});
