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
  // In each frame from the first one on: whether the last message is really there to be seen.
  await page.addInitScript(() => {
    window.seenInFrames = [];
    const look = () => {
      const list = document.querySelector(".sf-chat-list")?.getBoundingClientRect();
      const seen = (up) => document.elementFromPoint(list.left + 5, list.bottom - up)?.textContent;
      if (list) window.seenInFrames.push([4, 15, 30].some((up) => /^Hello/.test(seen(up))));
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
  const frames = await page.evaluate(() => window.seenInFrames);
  assert.ok(frames.length > 5, `${frames.length} frames`);
  assert.ok(
    frames.every((isSeen) => isSeen),
    "the messages were out of sight",
  );
  const { cursor } = await (await fetch(`${relay}/api/sync?spaceId=hall`)).json();
  const [epoch, version] = cursor.split(".");
  assert.deepEqual(streams, [`${epoch}.${version - 1}`], "from where the page goes on");
};
// Another clock and language than the server's.
await inChromium(/error|warning/, takenOver, { timezoneId: "Pacific/Auckland", locale: "de-DE" });
console.log(
  "read by a server component: shown without a script, never out of sight while it is taken over, then live",
);
