import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { ChatReader } from "./chat-reader.js";
import { hold } from "./gate.js";
import { show, useStage } from "./stage.js";

const stage = useStage();

async function openComposer(ownerId?: string) {
  const spaceId = await stage.newSpace();
  const parts = [{ what: "Chat" as const, spaceId, ...(ownerId !== undefined && { ownerId }) }];
  const page = await stage.open({ parts });
  await page.getByText("The conversation begins here.").waitFor();
  return { spaceId, page, chat: new ChatReader(page) };
}

/** What the database has of a space: the texts, and whose they are. */
const stored = (spaceId: string) =>
  stage.session.query(
    "select content, owner_id from public.intentions where location_id = $1 order by created_at",
    [spaceId],
  );

/** From now on, the database refuses what has this word in it. */
const refuse = (word: string) =>
  stage.session.run(
    `create function public.refuse_${word}() returns trigger language plpgsql as $$
     begin raise exception 'no ${word} here' using errcode = 'check_violation'; end $$`,
    `create trigger refuse_${word} before insert on public.intentions for each row
     when (new.content::text like '%${word}%') execute function public.refuse_${word}()`,
  );
const REFUSED = /Failed to load resource.*40\d/;

test("Enter sends, Shift+Enter begins a new line, and nothing but blanks is not sent", async () => {
  const { spaceId, chat } = await openComposer();
  await chat.field.pressSequentially("one");
  await chat.field.press("Shift+Enter");
  await chat.field.pressSequentially("two");
  expect(await chat.field.inputValue()).toBe("one\ntwo");
  await chat.field.press("Enter");
  expect(await chat.field.inputValue()).toBe("");
  await chat.field.fill("  \n ");
  await chat.field.press("Enter");
  expect(await chat.field.inputValue()).toBe("  \n ");
  await expect.poll(() => stored(spaceId)).toEqual([{ content: ["one\ntwo"], owner_id: null }]);
  expect(await chat.texts()).toEqual(["one\ntwo"]);
});

test("the button sends, too, and gives the field the focus back; a message has its owner", async () => {
  const { spaceId, page, chat } = await openComposer("ada");
  await chat.field.fill("with the mouse");
  await page.getByRole("button", { name: "Send" }).click();
  await expect.poll(() => stored(spaceId)).toEqual([{ content: ["with the mouse"], owner_id: "ada" }]);
  expect(await chat.field.evaluate((field) => field === document.activeElement)).toBe(true);
});

test("Enter that ends a composition sends nothing", async () => {
  const { spaceId, page, chat } = await openComposer();
  await chat.field.focus();
  const keyboard = await page.context().newCDPSession(page);
  await keyboard.send("Input.imeSetComposition", { text: "にほん", selectionStart: 3, selectionEnd: 3 });
  const enter = { type: "rawKeyDown", key: "Enter", code: "Enter", windowsVirtualKeyCode: 13 } as const;
  await keyboard.send("Input.dispatchKeyEvent", enter);
  await page.evaluate(() => {
    // As Safari has it: the composition has ended by then, and only the key code says what it was.
    const init = { key: "Enter", keyCode: 229, bubbles: true, cancelable: true };
    document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", init));
  });
  await keyboard.send("Input.insertText", { text: "日本" });
  expect(await chat.field.inputValue()).toBe("日本");
  expect(await chat.texts()).toEqual([]);
  await page.keyboard.press("Enter");
  await expect.poll(() => stored(spaceId)).toMatchObject([{ content: ["日本"] }]);
});

test("a refused message comes back into the field, before what was typed since, and says why", async () => {
  stage.browser.allow(REFUSED);
  await refuse("turnips");
  const { spaceId, page, chat } = await openComposer();
  const alert = page.getByRole("alert");
  const gate = await hold(page, "intentions", "create");
  await chat.field.fill("turnips, please");
  await chat.field.press("Enter");
  await gate.untilAsked(1);
  await expect.poll(() => chat.texts()).toEqual(["turnips, please"]);
  await chat.field.pressSequentially("and then");
  gate.open();
  await expect.poll(() => chat.field.inputValue()).toBe("turnips, please\nand then");
  expect(await alert.textContent()).toContain("no turnips here");
  expect(await chat.field.getAttribute("aria-invalid")).toBe("true");
  const description = await chat.field.getAttribute("aria-describedby");
  expect(await page.locator(`[id="${description}"]`).textContent()).toContain("no turnips here");
  expect(await chat.texts()).toEqual([]);

  await chat.field.fill("carrots, then");
  await chat.field.press("Enter");
  await expect.poll(() => alert.textContent()).toBe("");
  await expect.poll(() => stored(spaceId)).toMatchObject([{ content: ["carrots, then"] }]);
});

test("a refused message waits until an input method has composed its character", async () => {
  stage.browser.allow(REFUSED);
  await refuse("beetroot");
  const { page, chat } = await openComposer();
  const gate = await hold(page, "intentions", "create");
  await chat.field.fill("beetroot");
  await chat.field.press("Enter");
  await gate.untilAsked(1);
  const keyboard = await page.context().newCDPSession(page);
  await keyboard.send("Input.imeSetComposition", { text: "に", selectionStart: 1, selectionEnd: 1 });
  const answer = page.waitForResponse("**/api/intentions");
  gate.open();
  await (await answer).finished();
  await expect.poll(() => chat.texts()).toEqual([]);
  expect(await chat.field.inputValue()).toBe("に");
  await keyboard.send("Input.insertText", { text: "日" });
  await expect.poll(() => chat.field.inputValue()).toBe("beetroot\n日");
});

test("what was typed or refused in one space is there again after a look at another one", async () => {
  stage.browser.allow(REFUSED);
  await refuse("parsnips");
  const { spaceId, page, chat } = await openComposer();
  const elsewhere = await stage.newSpace();
  const gate = await hold(page, "intentions", "create");
  await chat.field.fill("parsnips");
  await chat.field.press("Enter");
  await gate.untilAsked(1);
  await chat.field.fill("half a thought");
  await show(page, { parts: [{ what: "Chat", spaceId: elsewhere }] });
  await expect.poll(() => chat.field.inputValue()).toBe("");
  const answer = page.waitForResponse("**/api/intentions");
  gate.open();
  await (await answer).finished();
  expect(await chat.field.inputValue()).toBe("");
  await show(page, { parts: [{ what: "Chat", spaceId }] });
  await expect.poll(() => chat.field.inputValue()).toBe("parsnips\nhalf a thought");
  expect(await page.getByRole("alert").textContent()).toContain("no parsnips here");
});

test("without a network a message waits in the list, and goes out when there is one again", async () => {
  stage.browser.allow(/Failed to load resource/);
  const { spaceId, page, chat } = await openComposer();
  await page.context().setOffline(true);
  await chat.field.fill("later");
  await chat.field.press("Enter");
  await expect.poll(() => isPending(page)).toBe(true);
  expect(await page.getByRole("alert").textContent()).toBe("");
  await page.context().setOffline(false);
  await expect.poll(() => stored(spaceId), { timeout: 20_000 }).toMatchObject([{ content: ["later"] }]);
  await expect.poll(() => isPending(page)).toBe(false);
});

const isPending = async (page: Page) => (await page.locator(".sf-message[data-pending]").count()) === 1;
