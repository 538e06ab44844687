// node next-page.mjs SITE: a page of Next.js, as its server renders it and as Chromium takes it over.
import assert from "node:assert/strict";
import { inChromium, sayOnPage, shown } from "./in-chromium.mjs";

const [site] = process.argv.slice(2);
const rendered = await (await fetch(site)).text();
assert.match(rendered, /Waiting for the conversation/, "what the server has rendered");

await inChromium(/error|warning/, async (page) => {
  await page.goto(site);
  await page.getByText("mode: realtime").waitFor();
  await sayOnPage(page, "Hello from the page");
  for (const text of ["Hello over HTTP", "Hello from Jest", "Hello from the page"]) await shown(page, text);
});
console.log("rendered on the server, taken over without a complaint, and used");
