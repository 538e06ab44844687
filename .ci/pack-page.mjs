// node pack-page.mjs SITE RELAY PROJECT: looks at the built page in Chromium, and writes to it from everywhere.
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { inChromium, sayOnPage, shown } from "./in-chromium.mjs";

const [site, relay, project] = process.argv.slice(2);
await inChromium(/error/, async (page) => {
  // The relay's own page is in its package, too.
  await page.goto(relay);
  await page.getByText("The lobby").first().waitFor();

  await page.goto(site);
  await page.getByText("mode: realtime").waitFor();
  for (const text of ["Hello over HTTP", "Hello from SQL"]) await shown(page, text);

  await sayOnPage(page, "Hello from the page");
  await shown(page, "Hello from the page");
  await stored("Hello from the page");

  // The user's script, with the same client, in Node.
  const { say } = await import(pathToFileURL(join(project, "say/say.js")).href);
  const said = await say(relay, "hall", "Hello from a script");
  assert.match(said.messageId, /^msg_\d+$/);
  await shown(page, "Hello from a script");
});
console.log("seen on the page: messages over HTTP, from SQL, from the page itself and from a script in Node");

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
