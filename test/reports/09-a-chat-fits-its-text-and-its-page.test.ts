import { expect, test } from "vitest";
import { useStage } from "../react/stage.js";

const stage = useStage();
const ARABIC = "مرحبا بكم: 3 رسائل!";

test("what people write is laid out in its own direction: messages, names, and what is being written", async () => {
  const spaceId = await stage.newSpace();
  const ownerId = await stage.join(spaceId, ARABIC);
  await stage.say(spaceId, ARABIC, { ownerId });
  await stage.say(spaceId, "Hello: 3 messages!");
  const page = await stage.open({
    parts: [
      { what: "Chat", spaceId },
      { what: "BeingPresence", spaceId },
      { what: "InlineBeingName", spaceId, beingId: ownerId },
    ],
  });
  const directionOf = (selector: string, text: string) =>
    page
      .locator(selector, { hasText: text })
      .first()
      .evaluate((element) => getComputedStyle(element).direction);
  for (const selector of [
    ".sf-message-part",
    ".sf-message-owner",
    ".sf-being-name",
    ".sf-name-button span",
  ]) {
    await expect.poll(() => directionOf(selector, ARABIC), { message: selector }).toBe("rtl");
  }
  expect(await directionOf(".sf-message-part", "Hello")).toBe("ltr");

  const fieldDirection = async (name: string, text: string) => {
    const field = page.getByRole("textbox", { name });
    await field.fill(text);
    return field.evaluate((element) => getComputedStyle(element).direction);
  };
  expect(await fieldDirection("Message", ARABIC)).toBe("rtl");
  expect(await fieldDirection("Message", "Hello")).toBe("ltr");
  await page.getByRole("button", { name: "Name" }).click();
  expect(await fieldDirection("Name", ARABIC)).toBe("rtl");
});

test("a Chat that the page gives no height says so in development, and is quiet with one, or hidden", async () => {
  const spaceId = await stage.newSpace();
  await stage.say(spaceId, "hello");
  const page = await stage.open({ parts: [] });
  const warnings: string[] = [];
  page.on("console", (message) => message.type() === "warning" && warnings.push(message.text()));
  const showWith = async (style: string) => {
    await page.addStyleTag({ content: `.sf-chat { ${style} }` });
    await page.evaluate((scene) => window.stage.show(scene), { parts: [{ what: "Chat" as const, spaceId }] });
    await page.locator(".sf-chat-list").waitFor({ state: "attached" });
  };
  await showWith("display: none");
  await showWith("display: flex");
  await page.waitForTimeout(1_500);
  expect(warnings).toEqual([]);
  await showWith("display: block; height: auto");
  await expect
    .poll(() => warnings)
    .toEqual([expect.stringContaining("no height. The page gives it one:\n.sf-chat {")]);
});
