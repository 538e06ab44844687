import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { UseSpaceDataResult } from "../../src/react/index.js";
import type { Relay } from "../../src/server/relay.js";
import { useDatabase } from "../support/postgres/database.js";
import { startTestRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";
import { show, useStage } from "./stage.js";

const stage = useStage();
const otherDatabase = useDatabase();
let other: Relay;
beforeAll(async () => {
  other = await startTestRelay(otherDatabase, { corsOrigins: ["*"] });
});
afterAll(() => other.close());

const connected = (page: Page) =>
  page.evaluate(() => (window.stage.seen.data as UseSpaceDataResult | undefined)?.connected);

/** A page that notes the Authorization of each request to an API, by the request's origin. */
async function openNoting() {
  const page = await stage.open({ parts: [] });
  const noted: { origin: string; path: string; authorization: string | undefined }[] = [];
  page.on("request", (request) => {
    const { origin, pathname } = new URL(request.url());
    if (!pathname.startsWith("/api/") || request.method() === "OPTIONS") return;
    noted.push({ origin, path: pathname, authorization: request.headers().authorization });
  });
  return { page, noted };
}

test("without a provider the relay is where the page comes from", async () => {
  const spaceId = await stage.newSpace();
  const { page, noted } = await openNoting();
  await show(page, { parts: [{ what: "useSpaceData", spaceId }] });
  await expect.poll(() => connected(page)).toBe(true);
  expect(new Set(noted.map(({ origin }) => origin))).toEqual(new Set([stage.site.url]));
});

test("a provider names another relay, and the headers for it", async () => {
  const spaceId = await newSpace(other);
  const { page, noted } = await openNoting();
  const provider = { url: other.url, headers: { Authorization: "Bearer one" }, tabs: false };
  await show(page, { provider, parts: [{ what: "useSpaceData", spaceId }] });
  await expect.poll(() => connected(page)).toBe(true);
  expect(noted).toEqual([{ origin: other.url, path: "/api/stream", authorization: "Bearer one" }]);

  // The same, written anew, changes nothing; other headers are another one who asks.
  await show(page, {
    provider: { ...provider, headers: { ...provider.headers } },
    parts: [{ what: "useSpaceData", spaceId }],
  });
  await page.waitForTimeout(300);
  expect(noted.length).toBe(1);
  const headers = { Authorization: "Bearer two" };
  await show(page, { provider: { ...provider, headers }, parts: [{ what: "useSpaceData", spaceId }] });
  await expect.poll(() => noted.at(-1)?.authorization).toBe("Bearer two");
});

test("functions that are written inline do not reconnect, and the newest are asked", async () => {
  const spaceId = await stage.newSpace();
  const { page, noted } = await openNoting();
  for (const token of ["a", "b", "c"]) {
    await page.evaluate(
      ([spaceId, token]) =>
        window.stage.show({
          provider: {
            headers: () => ({ Authorization: token }),
            fetch: (...request) => fetch(...request),
          },
          parts: [{ what: "useSpaceData", spaceId }],
        }),
      [spaceId, token] as const,
    );
    await expect.poll(() => connected(page)).toBe(true);
  }
  await page.evaluate(() => (window.stage.seen.data as UseSpaceDataResult).createIntention({ content: [] }));
  expect(noted.map(({ path, authorization }) => [path, authorization])).toEqual([
    ["/api/stream", "a"],
    ["/api/intentions", "c"],
  ]);
});

test("a hook that names another relay does not send it the headers of the provider's", async () => {
  const spaceId = await newSpace(other);
  const { page, noted } = await openNoting();
  const options = { url: other.url };
  await show(page, {
    provider: { headers: { Authorization: "Bearer secret" } },
    parts: [{ what: "useSpaceData", spaceId, options }],
  });
  await expect.poll(() => connected(page)).toBe(true);
  expect(noted).toEqual([{ origin: other.url, path: "/api/stream", authorization: undefined }]);
});
