import { expect, test } from "vitest";
import { LargeReads } from "../../../src/server/postgres/large-reads.js";
import { useDatabase } from "../../support/postgres/database.js";
import { post, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db);

/** Reads of which each ends when it is told to. */
function heldReads() {
  const reads = new LargeReads();
  const begun: { what: unknown; end(): void }[] = [];
  const read = (what: unknown) =>
    reads.read([what], () => new Promise((resolve) => begun.push({ what, end: () => resolve(what) })));
  return { read, begun };
}

test("two large reads are under way at a time, and each that ends lets the next one begin", async () => {
  const { read, begun } = heldReads();
  const all = ["a", "b", "c", "d", "e"].map(read);
  await expect.poll(() => begun.length).toBe(2);
  begun[1]?.end();
  await expect.poll(() => begun.map(({ what }) => what)).toEqual(["a", "b", "c"]);
  for (const n of [0, 2, 3, 4]) {
    await expect.poll(() => begun.length).toBeGreaterThan(n);
    begun[n]?.end();
  }
  expect(await Promise.all(all)).toEqual(["a", "b", "c", "d", "e"]);
});

test("who asks for what is waiting shares it; who asks for what has begun does not, and sees what came since", async () => {
  const { read, begun } = heldReads();
  const first = ["a", "b"].map(read);
  await expect.poll(() => begun.length).toBe(2);
  const later = [read("a"), read("a"), read("a")];
  for (const { end } of begun) end();
  await Promise.all(first);
  await expect.poll(() => begun.length).toBe(3);
  begun[2]?.end();
  expect(await Promise.all(later)).toEqual(["a", "a", "a"]);
  expect(begun.length).toBe(3);
});

test("where too many wait, one more is refused, and those that wait are not", async () => {
  const { read, begun } = heldReads();
  const all = Array.from({ length: 202 }, (_, n) => read(n));
  await expect.poll(() => begun.length).toBe(2);
  await expect(read("one more")).rejects.toMatchObject({ code: "unavailable" });
  for (let n = 0; n < all.length; n++) {
    await expect.poll(() => begun.length).toBeGreaterThan(n);
    begun[n]?.end();
  }
  expect(await Promise.all(all)).toHaveLength(202);
});

test("polls and lists that come all at once are all answered, and leave the pool to who writes", async () => {
  const spaceId = await newSpace(relay.current);
  const polls = Array.from({ length: 60 }, () => fetch(`${relay.current.url}/api/sync?spaceId=${spaceId}`));
  const lists = Array.from({ length: 60 }, () =>
    post(relay.current, "intentions", { action: "list", spaceId }),
  );
  const write = post(relay.current, "intentions", { action: "create", spaceId, data: {} });
  expect((await write).status).toBe(200);
  expect(new Set((await Promise.all(polls)).map(({ status }) => status))).toEqual(new Set([200]));
  expect(new Set((await Promise.all(lists)).map(({ status }) => status))).toEqual(new Set([200]));
});
