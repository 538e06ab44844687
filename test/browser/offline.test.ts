import { expect, test } from "vitest";
import { FAILED_REQUEST, useBrowser } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { useSite } from "../support/browser/site.js";
import { SpacePage, settled } from "../support/browser/space-page.js";
import { useDatabase } from "../support/postgres/database.js";
import { useRelay } from "../support/relay/relay.js";

const SLOW = 90_000;
const db = useDatabase();
// Rare, so that a page which the machine keeps waiting does not take its line for dead.
const relay = useRelay(db, { heartbeatMs: 10_000 });
const site = useSite({ entry: new URL("./pages/space.ts", import.meta.url), relay });
const browser = useBrowser();

test("P3: offline, changes show and wait; online again they are sent in their order", {
  timeout: SLOW,
}, async () => {
  browser.allow(FAILED_REQUEST);
  const conversation = await Conversation.begin(db);
  const { spaceId } = conversation;
  await conversation.write("before");
  const [near, far] = [await browser.newContext(), await browser.newContext()];
  const ann = await SpacePage.open(near, site.current.url, { spaceId });
  const bob = await SpacePage.open(far, site.current.url, { spaceId });
  for (const tab of [ann, bob]) await tab.reaches("realtime");

  await near.setOffline(true);
  await ann.reaches("cache");
  expect((await ann.view()).fault).toContain("does not answer");
  const mine = Array.from({ length: 20 }, (_, n) => `mine ${n}`);
  await ann.begin(...mine);
  expect(await ann.view()).toMatchObject({ texts: ["before", ...mine], pending: mine });
  await conversation.write("theirs");
  await bob.shows(["before", "theirs"]);
  // They wait behind what the server has.
  expect((await ann.view()).pending).toEqual(mine);

  await near.setOffline(false);
  await ann.reaches("realtime");
  await expect.poll(() => conversation.texts()).toEqual(["before", "theirs", ...mine]);
  await settled(conversation, ann, bob);
  expect((await ann.view()).modes.join(" ")).toMatch(/^opening realtime polling cache( polling)? realtime$/);
  expect((await bob.view()).modes).toEqual(["opening", "realtime"]);
});

test("what was made, changed and deleted offline ends as it was meant, for all", {
  timeout: SLOW,
}, async () => {
  browser.allow(FAILED_REQUEST);
  const conversation = await Conversation.begin(db);
  const { spaceId } = conversation;
  await conversation.session.query(
    `insert into intentions (id, location_id, content)
     select id, $1, jsonb_build_array(id) from unnest(array['kept', 'dropped', 'gone']) as id`,
    [spaceId],
  );
  const [near, far] = [await browser.newContext(), await browser.newContext()];
  const ann = await SpacePage.open(near, site.current.url, { spaceId });
  const bob = await SpacePage.open(far, site.current.url, { spaceId });
  for (const tab of [ann, bob]) await tab.shows(["kept", "dropped", "gone"]);

  await near.setOffline(true);
  await ann.reaches("cache");
  await ann.page.evaluate(() => {
    const { client } = globalThis.spacePage;
    void client.createIntention({ id: "new", content: ["a draft"], state: "draft" });
    void client.updateIntention("new", { content: ["a second draft"] });
    void client.createIntention({ id: "passing", content: ["never mind"] });
    void client.updateIntention("kept", { content: ["kept, and changed"] });
    void client.deleteIntention("dropped");
    void client.updateIntention("new", { content: ["done"], state: "complete" });
    void client.deleteIntention("passing");
    // Somebody else deletes this one meanwhile.
    client.updateIntention("gone", { content: ["still here?"] }).catch(() => {});
  });
  expect((await ann.view()).texts).toEqual(["kept, and changed", "still here?", "done"]);
  await conversation.session.query("delete from intentions where id = 'gone'");
  await bob.shows(["kept", "dropped"]);

  await near.setOffline(false);
  await expect.poll(() => conversation.texts()).toEqual(["kept, and changed", "done"]);
  await settled(conversation, ann, bob);
  // The one that was refused is said to whoever made it.
  expect((await ann.view()).error).toContain("gone");
  expect((await bob.view()).error).toBeNull();
});

test("every tab of a browser that is offline waits, and each sends its own", { timeout: SLOW }, async () => {
  browser.allow(FAILED_REQUEST);
  const conversation = await Conversation.begin(db);
  const context = await browser.newContext();
  const tabs: SpacePage[] = [];
  for (let n = 0; n < 3; n++) {
    tabs.push(await SpacePage.open(context, site.current.url, { spaceId: conversation.spaceId }));
  }
  for (const tab of tabs) await tab.reaches("realtime");
  await context.setOffline(true);
  for (const [n, tab] of tabs.entries()) {
    await tab.reaches("cache");
    await tab.begin(`from tab ${n}`);
  }
  await conversation.write("from SQL");
  for (const [n, tab] of tabs.entries()) await tab.shows([`from tab ${n}`]);
  await context.setOffline(false);
  await expect.poll(() => conversation.texts()).toHaveLength(4);
  await settled(conversation, ...tabs);
  for (const tab of tabs) await tab.reaches("realtime");
});
