import { expect, test } from "vitest";
import { remember } from "../../src/client/cache.js";
import { beingCache, getCachedBeing, getCachedIntention, intentionCache } from "../../src/client/index.js";
import { apply, type Replica, replace } from "../../src/client/replica.js";
import { useDatabase } from "../support/postgres/database.js";
import {
  beingOf,
  created,
  type Draft,
  deleted,
  groupOf,
  instant,
  messageOf,
  messagesOf,
  stateOf,
  updated,
} from "../support/postgres/rows.js";
import { useSession } from "../support/postgres/session.js";
import { eventually, followed } from "../support/relay/follow.js";
import { useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db);
const session = useSession(db);

/** Replicas as their clients have them, one after the other. */
class Page {
  replica: Replica | null = null;
  become(next: Replica): void {
    remember(this.replica, next);
    this.replica = next;
  }
  take(...drafts: Draft[]): void {
    const replica = this.replica as Replica;
    this.become(apply(replica, groupOf(replica.version, replica.version + 1, ...drafts), instant(0)));
  }
}
const holding = (...intentions: ReturnType<typeof messagesOf>) => {
  const page = new Page();
  page.become(replace(null, stateOf(1, { intentions })));
  return page;
};

test("what a client gets is in the cache, by its ID, the very object", () => {
  const page = new Page();
  page.become(
    replace(null, stateOf(1, { beings: [beingOf("c1")], intentions: [messageOf(1, { id: "c1" })] })),
  );
  expect(getCachedBeing("c1")).toBe(page.replica?.lists.being[0]);
  expect(getCachedIntention("c1")).toBe(page.replica?.lists.intention[0]);
  expect([beingCache.get("c1"), intentionCache.get("c1")]).toEqual([
    beingOf("c1"),
    messageOf(1, { id: "c1" }),
  ]);
  expect([getCachedBeing("none"), getCachedIntention("none")]).toEqual([undefined, undefined]);
});

test("what changes is changed there, and what is deleted goes", () => {
  const message = messageOf(1, { id: "c2" });
  const page = holding(message, messageOf(2, { id: "c2b" }));
  page.take(updated({ ...message, name: "new" }));
  expect(getCachedIntention("c2")?.name).toBe("new");
  page.take(deleted(message));
  expect(getCachedIntention("c2")).toBeUndefined();
  expect(getCachedIntention("c2b")).toBeDefined();
});

test("what has left one space is kept where another has it, in either order", () => {
  const here = messageOf(1, { id: "c3" });
  const there = { ...here, locationId: "there", modifiedAt: instant(100) };
  for (const order of ["leaves first", "comes first"]) {
    const [from, to] = [holding(here), holding()];
    if (order === "leaves first") from.take(deleted(here));
    to.take(created(there));
    if (order === "comes first") from.take(deleted(here));
    expect(getCachedIntention("c3")).toEqual(there);
    to.take(deleted(there));
    expect(getCachedIntention("c3")).toBeUndefined();
  }
});

test("a row that goes away and comes back is kept, also when the other space hears of it late", () => {
  const here = messageOf(1, { id: "c4" });
  const there = { ...here, locationId: "there", modifiedAt: instant(100) };
  const back = { ...here, modifiedAt: instant(200) };
  const [home, other] = [holding(here), holding()];
  home.take(deleted(here));
  home.take(created(back));
  other.take(created(there));
  expect(getCachedIntention("c4")).toEqual(back);
  other.take(deleted(there));
  expect(getCachedIntention("c4")).toEqual(back);
});

test("the oldest go when there are more than 50,000 of a kind, and the newest stay", () => {
  const page = holding(...messagesOf(1_000_001, 1_050_000));
  expect(intentionCache.size).toBe(50_000);
  page.take(created(messageOf(2_000_000)));
  expect(intentionCache.size).toBe(50_000);
  expect(getCachedIntention("m1000001")).toBeUndefined();
  expect(getCachedIntention("m1000002")).toBeDefined();
  expect(getCachedIntention("m2000000")).toBeDefined();
});

test("a being that moves between the spaces of two clients is in the cache throughout", async (context) => {
  const [a, b] = [await newSpace(relay.current), await newSpace(relay.current)];
  const [inA, inB] = [
    await followed(context, { url: relay.current.url, spaceId: a }),
    await followed(context, { url: relay.current.url, spaceId: b }),
  ];
  const id = `walks from ${a}`;
  await inA.createBeing({ id });
  await eventually(() => expect(getCachedBeing(id)?.locationId).toBe(a));
  for (const [to, comes, leaves] of [
    [b, inB, inA],
    [a, inA, inB],
  ] as const) {
    await session.query("update beings set location_id = $2 where id = $1", [id, to]);
    await eventually(() => {
      expect(comes.getBeing(id)).toBeDefined();
      expect(leaves.getBeing(id)).toBeUndefined();
    });
    expect(getCachedBeing(id)).toEqual(comes.getBeing(id));
  }
  // Also when the client that moves it shows that before anybody else knows.
  await inA.updateBeing(id, { locationId: b });
  await eventually(() => expect(inB.getBeing(id)).toBeDefined());
  await eventually(() => expect(getCachedBeing(id)?.locationId).toBe(b));
});

test("what a client has is in the cache also after it was closed; what it only wants is not", async (context) => {
  const spaceId = await newSpace(relay.current);
  const client = await followed(context, { url: relay.current.url, spaceId });
  const stored = client.createIntention({ id: `in ${spaceId}`, name: "said" });
  expect(client.getIntention(`in ${spaceId}`)).toBeDefined();
  expect(getCachedIntention(`in ${spaceId}`)).toBeUndefined();
  await stored;
  await eventually(() => expect(getCachedIntention(`in ${spaceId}`)).toMatchObject({ name: "said" }));
  client.close();
  expect(getCachedIntention(`in ${spaceId}`)).toMatchObject({ name: "said" });
  expect(getCachedBeing(spaceId)).toMatchObject({ type: "space" });
});
