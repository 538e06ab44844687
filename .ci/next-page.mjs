// node next-page.mjs SITE: a page of Next.js, as its server renders it and as Chromium takes it over.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const [site] = process.argv.slice(2);
const rendered = await (await fetch(site)).text();
assert.match(rendered, /Waiting for the conversation/, "what the server has rendered");

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
  args: ["--disable-gpu", "--disable-background-networking", "--disable-component-update"],
});
try {
  const complaints = [];
  const page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  page.on("console", (message) => /error|warning/.test(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
  await page.goto(site);
  await page.getByText("mode: realtime").waitFor();
  const input = page.getByRole("textbox", { name: "Message" });
  await input.fill("Hello from the page");
  await input.press("Enter");
  for (const text of ["Hello over HTTP", "Hello from Jest", "Hello from the page"]) {
    await page.getByText(text, { exact: true }).waitFor();
  }
  assert.deepEqual(complaints, [], "what the page complains of");
  console.log("rendered on the server, taken over without a complaint, and used");
} finally {
  await browser.close();
}
