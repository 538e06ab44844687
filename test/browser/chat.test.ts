import { expect, test } from "vitest";
import { FAILED_REQUEST, useBrowser } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { useSite } from "../support/browser/site.js";
import { SpacePage, settled } from "../support/browser/space-page.js";
import { useDatabase } from "../support/postgres/database.js";
import { useRelay } from "../support/relay/relay.js";

const db = useDatabase();
const relay = useRelay(db);
const site = useSite({ entry: new URL("./pages/space.ts", import.meta.url), relay });
const browser = useBrowser();

/** Two people: a browser each. */
async function two() {
  const conversation = await Conversation.begin(db);
  const { spaceId } = conversation;
  const ann = await SpacePage.open(await browser.newContext(), site.current.url, { spaceId });
  const bob = await SpacePage.open(await browser.newContext(), site.current.url, { spaceId });
  for (const tab of [ann, bob]) await tab.reaches("realtime");
  return { conversation, ann, bob };
}

test("what one writes shows at once, is then as the database has it, and the other sees it", async () => {
  const { conversation, ann, bob } = await two();
  const seen = await ann.page.evaluate(async () => {
    const { client } = globalThis.spacePage;
    const stored = client.createIntention({ id: "m1", content: ["hello"] });
    const [first] = client.getSnapshot().intentions;
    const isPending = client.getSnapshot().pendingIds.has("m1");
    return { first, isPending, stored: await stored };
  });
  expect(seen).toMatchObject({
    first: { id: "m1", messageId: "", content: ["hello"] },
    isPending: true,
    stored: { id: "m1", messageId: expect.stringMatching(/^msg_\d+$/), content: ["hello"] },
  });
  await settled(conversation, ann, bob);
  const shown = await ann.page.evaluate(() => globalThis.spacePage.client.getIntention("m1"));
  expect(shown).toEqual(seen.stored);
  expect((await ann.view()).sizes).toEqual([0, 1]);

  await bob.say("hello yourself", "how are you?");
  await ann.say("fine");
  await settled(conversation, ann, bob);
  expect((await ann.view()).texts).toEqual(["hello", "hello yourself", "how are you?", "fine"]);
});

test("a message is changed and deleted by the other, and neither is left with what was", async () => {
  const { conversation, ann, bob } = await two();
  await ann.page.evaluate(() =>
    globalThis.spacePage.client.createIntention({ id: "grows", state: "active", content: ["one"] }),
  );
  await ann.say("stays");
  await bob.shows(["one", "stays"]);
  await bob.page.evaluate(async () => {
    const { client } = globalThis.spacePage;
    for (const text of ["one two", "one two three"])
      void client.updateIntention("grows", { content: [text] });
    await client.updateIntention("grows", { state: "complete" });
  });
  await settled(conversation, ann, bob);
  expect(await ann.page.evaluate(() => globalThis.spacePage.client.getIntention("grows"))).toMatchObject({
    state: "complete",
    content: ["one two three"],
  });
  await ann.page.evaluate(() => globalThis.spacePage.client.deleteIntention("grows"));
  await settled(conversation, ann, bob);
  expect((await bob.view()).texts).toEqual(["stays"]);
});

test("P5, P6: what is written with SQL appears in both, a transaction as a whole", async () => {
  const { conversation, ann, bob } = await two();
  await conversation.write("from psql");
  await settled(conversation, ann, bob);
  const before = await Promise.all([ann, bob].map(async (tab) => (await tab.view()).sizes.length));
  await conversation.session.query(
    `insert into intentions (location_id, content)
     select $1, jsonb_build_array('row ' || n) from generate_series(1, 40) as n`,
    [conversation.spaceId],
  );
  await settled(conversation, ann, bob);
  for (const [index, tab] of [ann, bob].entries()) {
    expect((await tab.view()).sizes.slice(before[index])).toEqual([41]);
  }
  await conversation.session.query("delete from intentions where location_id = $1", [conversation.spaceId]);
  await settled(conversation, ann, bob);
});

test("beings come and go, and the space's own name changes", async () => {
  const { conversation, ann, bob } = await two();
  await ann.page.evaluate(() => globalThis.spacePage.client.createBeing({ id: "ann", name: "Ann" }));
  await conversation.session.run(
    `insert into beings (id, type, name, location_id) values ('bot', 'bot', 'Bot', '${conversation.spaceId}')`,
    `update beings set name = 'The room' where id = '${conversation.spaceId}'`,
  );
  const names = (tab: SpacePage) =>
    tab.page.evaluate(() => globalThis.spacePage.client.getSnapshot().beings.map(({ name }) => name));
  for (const tab of [ann, bob]) await expect.poll(() => names(tab)).toEqual(["The room", "Ann", "Bot"]);
  await conversation.session.query("delete from beings where id = 'bot'");
  for (const tab of [ann, bob]) await expect.poll(() => names(tab)).toEqual(["The room", "Ann"]);
});

test("a change that is refused is taken back, with the reason", async () => {
  const { conversation, ann, bob } = await two();
  await conversation.session.run(
    "alter table intentions add constraint polite check (content->>0 <> 'a curse') not valid",
  );
  const refusal = await ann.page.evaluate(() =>
    globalThis.spacePage.client.createIntention({ content: ["a curse"] }).then(
      () => null,
      ({ code, message }) => ({ code, message }) as { code: string; message: string },
    ),
  );
  browser.allow(FAILED_REQUEST);
  expect(refusal).toMatchObject({ code: "invalid", message: expect.stringContaining("polite") });
  expect(await ann.view()).toMatchObject({ texts: [], pending: [], error: refusal?.message });
  await ann.page.evaluate(() => globalThis.spacePage.client.dismissError());
  expect((await ann.view()).error).toBeNull();
  await ann.say("a blessing");
  await settled(conversation, ann, bob);
});
