import assert from "node:assert/strict";
import { chromium } from "playwright-core";

/**
 * Lets `look` use a page of Chromium, made with Playwright's `options`. Fails where the page writes to its console what
 * `complaint` (a pattern of types) names.
 */
export async function inChromium(complaint, look, options = {}) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
    args: ["--disable-gpu", "--disable-background-networking", "--disable-component-update"],
  });
  try {
    const complaints = [];
    const page = await browser.newPage(options);
    page.setDefaultTimeout(15_000);
    page.on("console", (message) => complaint.test(message.type()) && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
    await look(page).catch(async (error) => {
      console.error(await page.locator("body").innerText());
      console.error(complaints.join("\n"));
      throw error;
    });
    assert.deepEqual(complaints, [], "what the page complains of");
  } finally {
    await browser.close();
  }
}

/** Writes a message in the page's composer. */
export async function sayOnPage(page, text) {
  const input = page.getByRole("textbox", { name: "Message" });
  await input.fill(text);
  await input.press("Enter");
}

/** Waits for a message in the list: what is read aloud has the owner's name before it. */
export function shown(page, text) {
  return page.getByText(text, { exact: true }).waitFor();
}
