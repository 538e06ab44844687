import { expect, type TestContext, test } from "vitest";
import type { SpaceClient } from "../../src/client/index.js";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { versionOf } from "../support/relay/feed.js";
import { expectEqual, followedBehindProxy, PATIENTLY } from "../support/relay/follow.js";
import type { Asked, HttpProxy, Verdict } from "../support/relay/http-proxy.js";
import { post, useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db);
const session = useSession(db);

const begin = (context: TestContext) => followedBehindProxy(context, relay.current);

/** One verdict for each POST, in order; the rest passes, and so does what is no POST. */
function posts(proxy: HttpProxy, ...verdicts: Verdict[]): void {
  proxy.rule = ({ method }) => (method === "POST" && verdicts.shift()) || "pass";
}
const actions = (asked: Asked[]) => asked.map(({ body }) => body.action);
const rows = (spaceId: string) =>
  session.query(
    "select id, name, state, content from intentions where location_id = $1 order by substr(message_id, 5)::int",
    [spaceId],
  );
const calm = (client: SpaceClient) =>
  expect.poll(() => client.getSnapshot().pendingIds.size, PATIENTLY).toBe(0);

test("a change shows at once, resolves with the stored row, and its event makes it one of all", async (context) => {
  const { client, spaceId } = await begin(context);
  const stored = client.createIntention({ content: ["hello"] });
  const [shown] = client.getSnapshot().intentions;
  expect(shown).toMatchObject({ content: ["hello"], messageId: "", locationId: spaceId });
  expect(client.getSnapshot().pendingIds).toEqual(new Set([shown?.id]));
  expect(await stored).toMatchObject({ id: shown?.id, messageId: expect.stringMatching(/^msg_/) });
  expect(client.getSnapshot().pendingIds.size).toBe(0);
  await expectEqual(client, relay.current.url);
});

test("every kind of change arrives", async (context) => {
  const { client } = await begin(context);
  const { id } = await client.createIntention({ name: "first", state: "active" });
  expect(await client.updateIntention(id, { state: "complete" })).toMatchObject({
    name: "first",
    state: "complete",
  });
  const being = await client.createBeing({ id: `being of ${client.spaceId}`, name: "Bea" });
  expect(being).toMatchObject({
    id: `being of ${client.spaceId}`,
    type: "guest",
    locationId: client.spaceId,
  });
  expect(await client.updateBeing(being.id, { type: "bot" })).toMatchObject({ name: "Bea", type: "bot" });
  await expectEqual(client, relay.current.url);
  expect(await client.deleteBeing(being.id)).toMatchObject({ id: being.id });
  expect(await client.deleteIntention(id)).toMatchObject({ id });
  expect(client.getIntention(id)).toBeUndefined();
  await expectEqual(client, relay.current.url);
});

test("changes are sent one after the other, in their order, whatever gets lost", async (context) => {
  const { client, proxy, spaceId } = await begin(context);
  let n = 0;
  const verdicts = (["pass", "lose answer", "lose request", "pass", "lose answer"] as const).values();
  proxy.rule = ({ method }) => (method === "POST" && n++ % 3 === 0 && verdicts.next().value) || "pass";
  const stored: string[] = [];
  const all = ["a", "b", "c", "d", "e"].flatMap((name) => {
    const id = `${spaceId} ${name}`;
    return [
      client.createIntention({ id, name }).then(() => stored.push(`create ${name}`)),
      client.updateIntention(id, { state: "paused" }).then(() => stored.push(`update ${name}`)),
    ];
  });
  await Promise.all(all);
  expect(stored).toEqual(["a", "b", "c", "d", "e"].flatMap((name) => [`create ${name}`, `update ${name}`]));
  // Again and again the same until it is answered, and never one that was answered before.
  const sent = proxy
    .of("/api/intentions")
    .map(({ body }) => `${body.action} ${body.intentionId.slice(spaceId.length + 1)}`);
  expect(sent.filter((one, index) => one !== sent[index - 1])).toEqual(stored);
  expect(sent.length).toBeGreaterThan(stored.length);
  expect((await rows(spaceId)).map(({ name, state }) => `${name} ${state}`)).toEqual(
    ["a", "b", "c", "d", "e"].map((name) => `${name} paused`),
  );
  await expectEqual(client, relay.current.url);
});

test("a creation of which the answer is lost is sent again, and is one row and one version", async (context) => {
  const { client, proxy, spaceId } = await begin(context);
  const before = await versionOf(session, spaceId);
  posts(proxy, "lose answer", "lose answer");
  const row = await client.createIntention({ content: ["once"] });
  expect(actions(proxy.of("/api/intentions"))).toEqual(["create", "create", "create"]);
  expect(await rows(spaceId)).toEqual([{ id: row.id, name: "", state: "complete", content: ["once"] }]);
  expect(await versionOf(session, spaceId)).toBe(before + 1);
  await expectEqual(client, relay.current.url);
});

test("a creation of which the answer is lost resolves with the row as somebody else has changed it since", async (context) => {
  const { client, proxy } = await begin(context);
  posts(proxy, {
    lose: () =>
      session.query("update intentions set content = '[\"theirs\"]' where location_id = $1", [
        client.spaceId,
      ]),
  });
  expect(await client.createIntention({ content: ["mine"] })).toMatchObject({ content: ["theirs"] });
  expect(client.getSnapshot().error).toBeNull();
  await expectEqual(client, relay.current.url);
});

test("a creation of which the answer is lost, and which has been moved since, is not here", async (context) => {
  const { client, proxy } = await begin(context);
  const other = await newSpace(relay.current);
  posts(proxy, {
    lose: () =>
      session.query("update intentions set location_id = $2 where location_id = $1", [client.spaceId, other]),
  });
  expect(await client.createIntention({})).toMatchObject({ locationId: other });
  await calm(client);
  await expectEqual(client, relay.current.url);
});

test("a deletion of which the answer is lost is sent again, and resolves", async (context) => {
  const { client, proxy } = await begin(context);
  const { id } = await client.createIntention({});
  posts(proxy, "lose answer");
  expect(await client.deleteIntention(id)).toMatchObject({ id });
  expect(actions(proxy.of("/api/intentions"))).toEqual(["create", "delete", "delete"]);
  expect(client.getSnapshot()).toMatchObject({ intentions: [], error: null });
  await expectEqual(client, relay.current.url);
});

test("a deletion of what somebody else has deleted is refused, where no answer was lost", async (context) => {
  const { client, spaceId } = await begin(context);
  await expect(client.deleteIntention(`none in ${spaceId}`)).rejects.toMatchObject({ code: "not_found" });
  expect(client.getSnapshot().error?.message).toMatch(/there is no message/);
});

test("updates that wait are sent as one, and each resolves with the row", async (context) => {
  const { client, proxy, spaceId } = await begin(context);
  const { id } = await client.createIntention({ content: [] });
  let letThrough = () => {};
  const held = new Promise<Verdict>((resolve) => {
    letThrough = () => resolve("pass");
  });
  proxy.rule = ({ method }) => (method === "POST" ? held : "pass");
  const updates = ["o", "on", "one"].map((text) => client.updateIntention(id, { content: [text] }));
  const last = client.updateIntention(id, { state: "complete", name: "n" });
  expect(client.getIntention(id)).toMatchObject({ content: ["one"], name: "n" });
  letThrough();
  expect((await Promise.all(updates)).map(({ content }) => content)).toEqual([["o"], ["one"], ["one"]]);
  expect(await last).toMatchObject({ content: ["one"], name: "n" });
  expect(proxy.of("/api/intentions").map(({ body }) => body.data)).toEqual([
    { content: [] },
    { content: ["o"] },
    { content: ["one"], state: "complete", name: "n" },
  ]);
  expect(await rows(spaceId)).toEqual([{ id, name: "n", state: "complete", content: ["one"] }]);
});

test("updates of different rows, and those with another change between them, are not one", async (context) => {
  const { client, proxy, spaceId } = await begin(context);
  const [a, b] = [await client.createIntention({}), await client.createIntention({})];
  const being = await client.createBeing({ id: a.id }); // a being and a message may have one ID
  await Promise.all([
    client.updateIntention(a.id, { name: "1" }),
    client.updateIntention(a.id, { name: "2" }),
    client.updateIntention(b.id, { name: "3" }),
    client.updateIntention(a.id, { name: "4" }),
    client.updateBeing(being.id, { name: "5" }),
    client.deleteIntention(b.id),
  ]);
  expect(
    proxy.asked
      .filter(({ method }) => method === "POST")
      .slice(3)
      .map(({ body }) => body.data?.name),
  ).toEqual(["1", "2", "3", "4", "5", undefined]);
  expect(await rows(spaceId)).toMatchObject([{ id: a.id, name: "4" }]);
  await expectEqual(client, relay.current.url);
});

test("an undefined field of a later update does not undo that of an earlier one", async (context) => {
  const { client, proxy } = await begin(context);
  const { id } = await client.createIntention({});
  posts(proxy, "lose request"); // so that the others wait
  const all = [
    client.updateIntention(id, { state: "active" }),
    client.updateIntention(id, { name: "kept" }),
    client.updateIntention(id, { name: undefined, state: "paused" }),
  ];
  await Promise.all(all);
  expect(
    (await post(relay.current, "intentions", { action: "get", intentionId: id })).body.data,
  ).toMatchObject({ name: "kept", state: "paused" });
});

test("a row that was moved away is not shown again while its event is on its way", async (context) => {
  const { client, proxy, spaceId } = await begin(context);
  const other = await newSpace(relay.current);
  const { id } = await client.createIntention({});
  await expectEqual(client, relay.current.url);
  proxy.streamDelayMs = 1_000;
  const before = client.getSnapshot().data?.version;
  const shown: unknown[] = [];
  const moved = client.updateIntention(id, { locationId: other });
  client.subscribe(() => shown.push(client.getIntention(id)));
  expect(await moved).toMatchObject({ locationId: other });
  expect([client.getSnapshot().data?.version, client.getIntention(id)]).toEqual([before, undefined]);
  await expectEqual(client, relay.current.url);
  expect(new Set(shown)).toEqual(new Set([undefined]));
  expect(await rows(spaceId)).toEqual([]);
});
