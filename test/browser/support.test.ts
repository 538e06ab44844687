import { beforeAll, expect, test } from "vitest";
import { FAILED_REQUEST, useBrowser } from "../support/browser/browser.js";
import { useSite } from "../support/browser/site.js";
import { useDatabase } from "../support/postgres/database.js";
import { post, useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db, { corsOrigins: ["*"] });
const entry = new URL("./pages/support.tsx", import.meta.url);
const site = useSite({ entry, relay });
const browser = useBrowser();

let spaceId: string;
beforeAll(async () => {
  spaceId = await newSpace(relay.current);
});

test("a page is bundled, in a secure context, and tabs of one context share storage and channels", async () => {
  const context = await browser.newContext();
  const [one, two] = [await context.newPage(), await context.newPage()];
  for (const page of [one, two]) await page.goto(site.current.url);
  expect(await one.locator("h1").textContent()).toBe("It works");
  expect(
    await one.evaluate(() => [isSecureContext, typeof navigator.locks, globalThis.supportPage.refuse()]),
  ).toEqual([true, "object", "invalid"]);
  const heard = two.evaluate(
    () =>
      new Promise((resolve) => {
        localStorage.setItem("listens", "yes");
        new BroadcastChannel("support").onmessage = ({ data }) => resolve(data);
      }),
  );
  await expect.poll(() => one.evaluate(() => localStorage.getItem("listens"))).toBe("yes");
  await one.evaluate(() => new BroadcastChannel("support").postMessage("hello"));
  expect(await heard).toBe("hello");
});

for (const way of ["the site's own /api", "the relay's address, with CORS"]) {
  test(`events come unbuffered through ${way}`, async () => {
    const page = await browser.newPage();
    const query = way.includes("CORS") ? `?relay=${relay.current.url}` : "";
    await page.goto(`${site.current.url}/${query}`);
    await page.evaluate((id) => void globalThis.supportPage.listen(id), spaceId);
    const received = () => page.evaluate(() => globalThis.supportPage.received);
    await expect.poll(received).toEqual(["space-sync"]);
    await post(relay.current, "intentions", { action: "create", spaceId, data: { content: ["one"] } });
    await expect.poll(received).toEqual(["space-sync", "intention-created"]);
  });
}

test("a page may write through the site: it is of the relay's own origin", async () => {
  const page = await browser.newPage();
  await page.goto(site.current.url);
  const answer = await page.evaluate(async (spaceId) => {
    const body = JSON.stringify({ action: "create", spaceId, data: { content: ["from a page"] } });
    const headers = { "Content-Type": "application/json" };
    return (await fetch("/api/intentions", { method: "POST", headers, body })).json();
  }, spaceId);
  expect(answer).toMatchObject({ success: true });
});

test("when a tab goes, so does its stream at the relay", async () => {
  const streams = async () =>
    Number(
      /^spacefeed_clients(?:{.*})? (\d+)/m.exec(
        await (await fetch(`${relay.current.url}/metrics`)).text(),
      )?.[1],
    );
  await expect.poll(streams).toBe(0);
  const page = await browser.newPage();
  await page.goto(site.current.url);
  await page.evaluate((id) => void globalThis.supportPage.listen(id), spaceId);
  await expect.poll(streams).toBe(1);
  await page.close();
  await expect.poll(streams).toBe(0);
});

test("what a page complains of is collected: errors, rejections, failed requests and the content policy", async () => {
  const page = await browser.newPage();
  await page.goto(site.current.url);
  await page.evaluate(() => {
    console.error("a bad sign");
    setTimeout(() => Promise.reject(new Error("nobody handles this")));
    const policy = document.createElement("meta");
    policy.httpEquiv = "Content-Security-Policy";
    policy.content = "img-src 'none'";
    document.head.append(policy);
    document.body.append(Object.assign(new Image(), { src: "/image.png" }));
    void fetch("/api/nothing");
  });
  await expect
    .poll(() => browser.complaints)
    .toEqual(
      expect.arrayContaining([
        expect.stringContaining("error: a bad sign"),
        expect.stringContaining("uncaught: Error: nobody handles this"),
        expect.stringContaining("Content Security Policy"),
        expect.stringMatching(FAILED_REQUEST),
      ]),
    );
  browser.allow(/a bad sign/, /nobody handles/, /Content Security Policy/, FAILED_REQUEST);
});
