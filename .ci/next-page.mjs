// node next-page.mjs SITE RELAY: pages of Next.js, as its server renders them and as Chromium takes them over.
import assert from "node:assert/strict";
import { inChromium, sayOnPage, shown } from "./in-chromium.mjs";

const [site, relay] = process.argv.slice(2);
const rendered = await (await fetch(site)).text();
assert.match(rendered, /Waiting for the conversation/, "what the server has rendered");

await inChromium(/error|warning/, async (page) => {
  await page.goto(site);
  await page.getByText("mode: realtime").waitFor();
  await sayOnPage(page, "Hello from the page");
  for (const text of ["Hello over HTTP", "Hello from Jest", "Hello from the page"]) await shown(page, text);
});
console.log("rendered on the server, taken over without a complaint, and used");

const withoutScript = async (page) => {
  await page.goto(`${site}/rendered`);
  for (const text of ["The hall", "Hello over HTTP", "Hello from Jest", "mode: cache"]) {
    assert.equal(await page.getByText(text, { exact: true }).first().isVisible(), true, text);
  }
};
await inChromium(/error|warning/, withoutScript, { javaScriptEnabled: false });

const takenOver = async (page) => {
  const streams = [];
  page.on("request", (request) => {
    const { pathname, searchParams } = new URL(request.url());
    if (pathname === "/api/stream") streams.push(searchParams.get("since"));
  });
  // Where the first message is to be seen, in each frame from the first one on.
  await page.addInitScript(() => {
    window.tops = [];
    const look = () => {
      const shown = [...document.querySelectorAll(".sf-message-content")].find((message) => {
        const { left, top, height } = message.getBoundingClientRect();
        return message.contains(document.elementFromPoint(left + 5, top + height / 2));
      });
      if (document.querySelector(".sf-chat"))
        window.tops.push(shown ? shown.getBoundingClientRect().top : "nowhere");
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  await page.goto(`${site}/rendered`);
  await page.getByText("mode: realtime").waitFor();
  const body = { action: "create", spaceId: "hall", data: { content: ["Hello, live"] } };
  const headers = { "Content-Type": "application/json" };
  await fetch(`${relay}/api/intentions`, { method: "POST", headers, body: JSON.stringify(body) });
  await shown(page, "Hello, live");
  const tops = await page.evaluate(() => window.tops);
  assert.equal(
    new Set(tops).size,
    1,
    `the first message was at ${[...new Set(tops)]}, in ${tops.length} frames`,
  );
  assert.equal(typeof tops[0], "number");
  const { cursor } = await (await fetch(`${relay}/api/sync?spaceId=hall`)).json();
  const [epoch, version] = cursor.split(".");
  assert.deepEqual(streams, [`${epoch}.${version - 1}`], "from where the page goes on");
};
// Another clock and language than the server's.
await inChromium(/error|warning/, takenOver, { timezoneId: "Pacific/Auckland", locale: "de-DE" });
console.log(
  "read by a server component: shown without a script, never out of sight while it is taken over, then live",
);
