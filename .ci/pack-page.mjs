// node pack-page.mjs SITE RELAY PROJECT: looks at the built page in Chromium, and writes to it from everywhere.
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [site, relay, project] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
  args: ["--disable-gpu", "--disable-background-networking", "--disable-component-update"],
});
try {
  const complaints = [];
  const page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
  await demo(page);
  await look(page).catch(async (error) => {
    console.error(await page.locator("body").innerText());
    console.error(complaints.join("\n"));
    throw error;
  });
  assert.deepEqual(complaints, [], "what the page complains of");
} finally {
  await browser.close();
}

/** The relay's own page is in the package, too. */
async function demo(page) {
  await page.goto(relay);
  await page.getByText("The lobby").first().waitFor();
}

async function look(page) {
  await page.goto(site);
  await page.getByText("mode: realtime").waitFor();
  for (const text of ["Hello over HTTP", "Hello from SQL"]) await shown(page, text);

  const input = page.getByRole("textbox", { name: "Message" });
  await input.fill("Hello from the page");
  await input.press("Enter");
  await shown(page, "Hello from the page");
  await stored("Hello from the page");

  // The user's script, with the same client, in Node.
  const { say } = await import(pathToFileURL(join(project, "say/say.js")).href);
  const said = await say(relay, "hall", "Hello from a script");
  assert.match(said.messageId, /^msg_\d+$/);
  await shown(page, "Hello from a script");
  console.log(
    "seen on the page: messages over HTTP, from SQL, from the page itself and from a script in Node",
  );
}

/** In the list: what is read aloud has the owner's name before it. */
function shown(page, text) {
  return page.getByText(text, { exact: true }).waitFor();
}

async function stored(text) {
  const body = JSON.stringify({ action: "list", spaceId: "hall" });
  const headers = { "Content-Type": "application/json" };
  for (let tries = 50; tries > 0; tries--) {
    const response = await fetch(`${relay}/api/intentions`, { method: "POST", headers, body });
    if ((await response.text()).includes(text)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`"${text}" is not stored`);
}
