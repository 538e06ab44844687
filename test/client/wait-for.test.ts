import { expect, test } from "vitest";
import { SpacefeedError } from "../../src/client/index.js";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { follow, followed, followedBehindProxy } from "../support/relay/follow.js";
import { post, useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db);
const s = useSession(db);

test("a version that another writer's answer names is waited for, and then the write is there", async (context) => {
  const spaceId = await newSpace(relay.current);
  const client = await followed(context, { url: relay.current.url, spaceId });
  for (let n = 0; n < 20; n++) {
    const answer = await post(relay.current, "intentions", {
      action: "create",
      intentionId: `${spaceId} ${n}`,
      spaceId,
    });
    await client.waitFor(answer.body.version);
    expect(client.getIntention(`${spaceId} ${n}`)).toBeDefined();
  }
  await client.waitFor(1); // of before
});

test("a version that is not there yet comes, over a stream or by a poll", async (context) => {
  const { client, proxy, spaceId } = await followedBehindProxy(context, relay.current);
  const version = client.getSnapshot().data?.version as number;
  const order: string[] = [];
  const both = [version + 1, version + 2].map((at) =>
    client.waitFor(at).then(() => order.push(`${at - version}`)),
  );
  const say = () => s.query("insert into public.intentions (location_id) values ($1)", [spaceId]);
  await say();
  await both[0];
  expect(order).toEqual(["1"]);
  proxy.rule = ({ path }) => (path.startsWith("/api/stream") ? "lose request" : "pass");
  proxy.cut();
  await say();
  await Promise.all(both);
  expect(order).toEqual(["1", "2"]);
});

test("when its own change is stored, the snapshot has the stored row, and never goes back", async (context) => {
  const { client } = await followedBehindProxy(context, relay.current);
  const names: (string | undefined)[] = [];
  const stored = await client.createIntention({ id: `own ${client.spaceId}`, name: "mine" });
  expect(client.getIntention(stored.id)).toEqual(stored);
  expect(stored.messageId).toMatch(/^msg_/);
  expect(client.getSnapshot().pendingIds.size).toBe(0);
  client.subscribe(() => names.push(client.getIntention(stored.id)?.messageId));
  await client.createIntention({ name: "after it" });
  expect(new Set(names)).toEqual(new Set([stored.messageId]));
});

test("who waits for what will not come is told so: closed, given up, or no such space", async (context) => {
  const spaceId = await newSpace(relay.current);
  const client = await followed(context, { url: relay.current.url, spaceId });
  const giving = new AbortController();
  const given = client.waitFor(1_000, giving.signal);
  giving.abort(new Error("enough"));
  await expect(given).rejects.toThrow("enough");
  const closed = client.waitFor(1_000);
  client.close();
  for (const waiting of [closed, client.waitFor(1_000)]) {
    const error = await waiting.catch((error) => error);
    expect(error).toBeInstanceOf(SpacefeedError);
    const message = expect.stringMatching(/no version 1000: the client is closed/);
    expect(error).toMatchObject({ code: "unavailable", message });
  }
  const nowhere = follow(context, { url: relay.current.url, spaceId: "nowhere" });
  await expect(nowhere.waitFor(1)).rejects.toMatchObject({ code: "not_found" });
});
