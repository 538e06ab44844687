import { describe, expect, type TestContext, test, vi } from "vitest";
import { useBrowser } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { FIREFOX, useFirefox } from "../support/browser/firefox.js";
import { useSite } from "../support/browser/site.js";
import { useDatabase } from "../support/postgres/database.js";
import { closing, eventually, followed } from "../support/relay/follow.js";
import { HttpProxy, type Verdict } from "../support/relay/http-proxy.js";
import { useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

vi.setConfig({ testTimeout: 60_000 });
const db = useDatabase();
const relay = useRelay(db, { heartbeatMs: 10_000 });
// It speaks HTTP/1.1, as many a proxy does.
const site = useSite({ entry: new URL("../browser/pages/space.ts", import.meta.url), relay });
const browser = useBrowser();
const firefox = useFirefox();

type Page = { evaluate(expression: string): Promise<unknown> };
const viewOf = (page: Page) => (what: string) => expect.poll(() => page.evaluate(`spacePage.view().${what}`));

/** Six streams of a page are open, of which five are not the client's, and something is said. */
async function sixStreams(page: Page) {
  const conversation = await Conversation.begin(db);
  const { spaceId } = conversation;
  const view = viewOf(page);
  await page.evaluate(`spacePage.open(${JSON.stringify({ spaceId })})`);
  await view("mode").toBe("realtime");
  await page.evaluate(`(async () => {
    globalThis.others = new AbortController();
    for (let n = 0; n < 5; n++) {
      // Firefox would have them wait for one another.
      await fetch("/api/stream?spaceId=${spaceId}", { signal: others.signal, cache: "no-store" });
    }
  })()`);
  await page.evaluate(`void spacePage.say("does this leave?")`);
  await view("fault").toMatch(/a change waits to be sent: .*six open streams/);
  expect(await page.evaluate("spacePage.view()")).toMatchObject({
    mode: "realtime",
    error: null,
    pending: ["does this leave?"],
  });
  expect(await conversation.texts()).toEqual([]);
  await page.evaluate("others.abort()");
  await view("pending").toEqual([]);
  await view("fault").toBeNull();
  expect(await conversation.texts()).toEqual(["does this leave?"]);
}

/** A page is in eight spaces, and something is said in the last one. */
async function eightSpaces(page: Page) {
  const conversations = [];
  for (let n = 0; n < 8; n++) conversations.push(await Conversation.begin(db));
  const view = viewOf(page);
  for (const { spaceId } of conversations) {
    await page.evaluate(`spacePage.open(${JSON.stringify({ spaceId })})`);
    await view("mode").toBe("realtime");
  }
  await page.evaluate(`void spacePage.say("this leaves")`);
  await view("pending").toEqual([]);
  expect(await conversations.at(-1)?.texts()).toEqual(["this leaves"]);
}

describe.each([
  ["a change that waits because six streams hold all connections says so, and why", sixStreams],
  ["eight spaces of a page are one stream, and leave connections for what is said", eightSpaces],
])("%s", (_, of) => {
  test("in Chromium", async () => {
    const page = await browser.newPage();
    await page.goto(site.current.url);
    await of(page);
  });

  test.skipIf(!FIREFOX)("in Firefox (skipped where it is not installed)", async () => {
    const page = await firefox.newPage();
    await page.goto(site.current.url);
    await of(page);
  });
});

test.concurrent.for<[string, Verdict, string, RegExp]>([
  ["the relay is away", "lose request", "unavailable", /does not answer/],
  ["the relay has a fault", { status: 500 }, "unavailable", /status 500/],
  ["the token is not let in", { status: 401 }, "unauthorized", /status 401/],
  ["there are too many", { status: 429 }, "rate_limited", /status 429/],
])(
  "a change that waits because %s says so, and why",
  async ([, verdict, code, why], context: TestContext) => {
    const spaceId = await newSpace(relay.current);
    const proxy = closing(context, await HttpProxy.before(relay.current.url));
    const client = await followed(context, { url: proxy.url, spaceId });
    proxy.rule = ({ method }) => (method === "POST" ? verdict : "pass");
    const stored = client.createIntention({ content: ["waits"] });
    const [waits] = client.getSnapshot().intentions;
    expect(client.getSnapshot().fault).toBeNull();
    await eventually(() =>
      expect(client.getSnapshot()).toMatchObject({
        mode: "realtime",
        error: null,
        fault: {
          code,
          message: expect.stringMatching(/^a change waits to be sent: /),
          since: waits?.createdAt,
        },
      }),
    );
    expect(client.getSnapshot().fault?.message).toMatch(why);
    proxy.rule = () => "pass";
    await stored;
    expect(client.getSnapshot().fault).toBeNull();
  },
);
