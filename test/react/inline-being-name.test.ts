import { expect, test } from "vitest";
import { hold } from "./gate.js";
import { show, useStage } from "./stage.js";

const stage = useStage();

async function openName(name = "Ada") {
  const spaceId = await stage.newSpace();
  const beingId = await stage.join(spaceId, name);
  const page = await stage.open({
    parts: [{ what: "InlineBeingName", spaceId, beingId, label: "Your name" }],
  });
  const button = page.getByRole("button", { name: /^Your name/ });
  const input = page.getByRole("textbox", { name: "Your name" });
  await expect.poll(() => button.isEnabled()).toBe(true);
  const stored = () => stage.session.value("select name from public.beings where id = $1", [beingId]);
  const hasFocus = (what = button) => what.evaluate((element) => element === document.activeElement);
  return { spaceId, beingId, page, button, input, stored, hasFocus };
}

test("a name is a button with a label; Enter edits, Enter saves, and the focus goes back", async () => {
  const { page, button, input, stored, hasFocus } = await openName();
  expect([await button.textContent(), await button.getAttribute("aria-label")]).toEqual([
    "Ada",
    "Your name: Ada",
  ]);
  await page.keyboard.press("Tab");
  expect(await hasFocus()).toBe(true);
  await page.keyboard.press("Enter");
  await expect.poll(() => hasFocus(input)).toBe(true);
  await page.keyboard.type("Countess"); // what was there is selected
  await page.keyboard.press("Enter");
  await expect.poll(() => hasFocus()).toBe(true);
  expect(await button.textContent()).toBe("Countess");
  await expect.poll(stored).toBe("Countess");
});

test("Escape leaves the name as it was, and the focus goes back", async () => {
  const { page, button, input, stored, hasFocus } = await openName();
  await button.click();
  await input.fill("Nobody");
  await page.keyboard.press("Escape");
  await expect.poll(() => hasFocus()).toBe(true);
  expect([await button.textContent(), await stored()]).toEqual(["Ada", "Ada"]);
});

test("going elsewhere saves, and leaves the focus there", async () => {
  const { page, button, input, stored } = await openName();
  await button.click();
  await input.fill("  Augusta  ");
  await page.mouse.click(300, 300);
  await expect.poll(() => button.textContent()).toBe("Augusta");
  await expect.poll(stored).toBe("Augusta");
  expect(await page.evaluate(() => document.activeElement === document.body)).toBe(true);
});

test("an empty name and the same name are not sent", async () => {
  const { page, button, input, stored } = await openName();
  const gate = await hold(page, "beings", "update");
  for (const name of ["", "   ", "Ada", " Ada "]) {
    await button.click();
    await input.fill(name);
    await page.keyboard.press("Enter");
    await expect.poll(() => button.textContent()).toBe("Ada");
  }
  expect([gate.asked, await stored()]).toEqual([0, "Ada"]);
});

test("a new name shows at once, marked as on its way", async () => {
  const { page, button, input } = await openName();
  const gate = await hold(page, "beings", "update");
  await button.click();
  await input.fill("Augusta");
  await page.keyboard.press("Enter");
  await gate.untilAsked(1);
  expect(await button.textContent()).toBe("Augusta");
  expect(await page.locator(".sf-name[data-pending]").count()).toBe(1);
  gate.open();
  await expect.poll(() => page.locator(".sf-name[data-pending]").count()).toBe(0);
});

test("a refused name is taken back with the reason, and is there again at the next attempt", async () => {
  stage.browser.allow(/Failed to load resource.*40\d/);
  await stage.session.run("alter table public.beings add constraint no_kings check (name <> 'King')");
  const { page, button, input, stored } = await openName();
  await button.click();
  await input.fill("King");
  await page.keyboard.press("Enter");
  await expect.poll(() => page.getByRole("alert").textContent()).toContain("no_kings");
  expect(await button.textContent()).toBe("Ada");
  await button.click();
  expect(await input.inputValue()).toBe("King");
  await input.fill("Queen");
  await page.keyboard.press("Enter");
  await expect.poll(stored).toBe("Queen");
  await expect.poll(() => page.getByRole("alert").textContent()).toBe("");

  await button.click();
  await input.fill("King");
  await page.keyboard.press("Enter");
  await expect.poll(() => page.getByRole("alert").textContent()).toContain("no_kings");
  await button.click();
  await page.keyboard.press("Escape");
  await expect.poll(() => page.getByRole("alert").textContent()).toBe("");
  expect(await button.textContent()).toBe("Queen");
});

test("Enter that ends a composition does not save", async () => {
  const { page, button, input, stored } = await openName();
  await button.click();
  await input.fill("");
  const keyboard = await page.context().newCDPSession(page);
  await keyboard.send("Input.imeSetComposition", { text: "えいだ", selectionStart: 3, selectionEnd: 3 });
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  expect(await input.count()).toBe(1);
  await keyboard.send("Input.insertText", { text: "エイダ" });
  await page.keyboard.press("Enter");
  await expect.poll(stored).toBe("エイダ");
});

test("a name that another one changes meanwhile does not disturb who is typing", async () => {
  const { beingId, page, button, input, stored } = await openName();
  await button.click();
  await input.fill("Mine");
  await stage.session.query("update public.beings set name = 'Theirs' where id = $1", [beingId]);
  await page.waitForTimeout(300);
  expect(await input.inputValue()).toBe("Mine");
  await page.keyboard.press("Escape");
  await expect.poll(() => button.textContent()).toBe("Theirs");
  expect(await stored()).toBe("Theirs");
});

test("what is being typed for one being is not given to another one", async () => {
  const { spaceId, page, button, input, stored } = await openName();
  const bob = await stage.join(spaceId, "Bob");
  await button.click();
  await input.fill("Augusta");
  await show(page, { parts: [{ what: "InlineBeingName", spaceId, beingId: bob, label: "Your name" }] });
  await expect.poll(() => button.textContent()).toBe("Bob");
  await page.keyboard.press("Enter");
  expect(await stage.session.value("select name from public.beings where id = $1", [bob])).toBe("Bob");
  expect(await stored()).toBe("Ada");
});

test("a being without a name shows the label, one that is not here cannot be edited", async () => {
  const { spaceId, page, button } = await openName("");
  expect(await button.textContent()).toBe("Your name");
  await show(page, { parts: [{ what: "InlineBeingName", spaceId, beingId: "nobody" }] });
  await expect.poll(() => page.getByRole("button", { name: "Name" }).isDisabled()).toBe(true);
});
