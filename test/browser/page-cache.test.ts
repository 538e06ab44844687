import { beforeEach, expect, test } from "vitest";
import { useBrowser } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { useSite } from "../support/browser/site.js";
import { leaderOf, SpacePage, settled } from "../support/browser/space-page.js";
import { useDatabase } from "../support/postgres/database.js";
import { useRelay } from "../support/relay/relay.js";
import { streamsBecome } from "../support/relay/relay-metrics.js";

const SLOW = 60_000;
const db = useDatabase();
const relay = useRelay(db);
const site = useSite({ entry: new URL("./pages/space.ts", import.meta.url), relay });
const browser = useBrowser({ pageCache: true });
beforeEach(() => streamsBecome(relay.current, 0));

/** Goes to another page. The one that is left is kept by the browser, and stands still. */
async function leave({ page }: SpacePage): Promise<void> {
  await page.evaluate(() => {
    addEventListener("pageshow", ({ persisted }) => {
      document.title = persisted ? "as it was" : "anew";
    });
  });
  await page.goto(`${site.current.url}/elsewhere`);
}

/** Goes back, to the page as it was left: nothing is opened anew. */
async function comeBack({ page }: SpacePage): Promise<void> {
  await page.goBack({ waitUntil: "commit" });
  await expect.poll(() => page.evaluate(() => document.title)).toBe("as it was");
}

for (const options of [{}, { tabs: false }, { persist: true }]) {
  test(`P3: a page that the browser has kept goes on where it was, with ${JSON.stringify(options)}`, {
    timeout: SLOW,
  }, async () => {
    const conversation = await Conversation.begin(db);
    const { spaceId } = conversation;
    const tab = await SpacePage.open(await browser.newContext(), site.current.url, { spaceId, ...options });
    await conversation.write("before");
    await settled(conversation, tab);
    await leave(tab);
    await conversation.write("meanwhile");
    await comeBack(tab);
    await settled(conversation, tab);
    await tab.say("after");
    await conversation.write("and after that");
    await settled(conversation, tab);
    await tab.reaches("realtime");
    await streamsBecome(relay.current, 1);
  });
}

test("P3: a leader that is left and kept by the browser leaves the line to the others", {
  timeout: SLOW,
}, async () => {
  const conversation = await Conversation.begin(db);
  const { spaceId } = conversation;
  const context = await browser.newContext();
  // Nobody looks at them: they do not take what is not left to them.
  await context.addInitScript(() => {
    Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
  });
  const tabs = [];
  for (let n = 0; n < 3; n++) tabs.push(await SpacePage.open(context, site.current.url, { spaceId }));
  for (const tab of tabs) await tab.reaches("realtime");
  const leader = await leaderOf(tabs);
  const rest = tabs.filter((tab) => tab !== leader);
  await leave(leader);
  await conversation.write("meanwhile");
  await settled(conversation, ...rest);
  await rest[0]?.say("said meanwhile");
  await settled(conversation, ...rest);
  // What the others have said to one another was too much for the page that was kept: it is loaded again.
  await leader.page.goBack({ waitUntil: "commit" });
  await leader.page.waitForFunction(() => "spacePage" in globalThis);
  await leader.follow({ spaceId });
  await settled(conversation, ...tabs);
  await streamsBecome(relay.current, 1);
});
