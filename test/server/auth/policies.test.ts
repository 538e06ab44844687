import { readFile } from "node:fs/promises";
import { beforeEach, expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { post, useRelay } from "../../support/relay/relay.js";
import { as, SECRET, tokensBy } from "../../support/relay/token.js";

// The policies that docs/access.md shows, as they are there, with two users.

const db = useDatabase();
const relay = useRelay(db, { tokens: tokensBy({ AUTH_JWT_SECRET: SECRET }) });
const session = useSession(db);

beforeEach(async () => {
  await session.run(
    "truncate public.beings, public.intentions",
    `insert into public.beings (id, type, owner_id, location_id) values
       ('hall', 'space', 'ada', 'hall'), ('ada', 'guest', 'ada', 'hall'), ('robot', 'bot', 'robot', 'hall')`,
    "insert into public.intentions (id, owner_id, location_id) values ('hers', 'ada', 'hall')",
  );
});

const adopt = async (name: string) =>
  session.query(await readFile(new URL(`../../../sql/policies/${name}.sql`, import.meta.url), "utf8"));

/** The status of what somebody tries to do with messages, or with beings. */
async function tries(
  who: string,
  body: object,
  path: "beings" | "intentions" = "intentions",
): Promise<number> {
  return (await post(relay.current, path, body, await as(who))).status;
}

/** The statuses of reading a space once, and as a stream. */
async function reads(who: string, spaceId = "hall"): Promise<number[]> {
  const statuses: number[] = [];
  for (const path of ["sync", "stream"]) {
    const response = await fetch(`${relay.current.url}/api/${path}?spaceId=${spaceId}`, {
      headers: await as(who),
    });
    statuses.push(response.status);
    await response.body?.cancel();
  }
  return statuses;
}

const say = (intentionId: string) => ({ action: "create", intentionId, spaceId: "hall" });
const edit = (intentionId: string) => ({ action: "update", intentionId, data: { name: "edited" } });
const remove = (intentionId: string) => ({ action: "delete", intentionId });

test("members: only who owns a being in a space reads it and writes in it", async () => {
  await adopt("members");
  expect([await reads("ada"), await reads("bob")]).toEqual([
    [200, 200],
    [403, 403],
  ]);
  expect([await tries("ada", say("a")), await tries("bob", say("b"))]).toEqual([200, 403]);
  expect([await tries("bob", edit("hers")), await tries("bob", remove("hers"))]).toEqual([403, 403]);
  for (const action of ["list", "get"]) {
    expect(
      await tries("bob", action === "list" ? { action, spaceId: "hall" } : { action, intentionId: "a" }),
    ).toBe(403);
  }
});

test("members: nobody lets himself in, and who is let in by a member's SQL is in", async () => {
  await adopt("members");
  const enter = (beingId: string) => ({ action: "create", beingId, spaceId: "hall" });
  expect(await tries("bob", enter("bob"), "beings")).toBe(403);
  expect(await tries("bob", { action: "create", beingId: "bob" }, "beings")).toBe(403);
  await session.run("insert into public.beings (id, owner_id) values ('bob', 'bob')");
  const move = { action: "update", beingId: "bob", data: { locationId: "hall" } };
  expect(await tries("bob", move, "beings")).toBe(403);
  expect(await reads("bob")).toEqual([403, 403]);
  await session.run("update public.beings set location_id = 'hall' where id = 'bob'");
  expect([await reads("bob"), await tries("bob", say("b"))]).toEqual([[200, 200], 200]);
});

test("members: anybody begins a space of his own, and again, but not one that has been there", async () => {
  await adopt("members");
  const begin = (beingId: string) => ({ action: "create", beingId, data: { type: "space" } });
  expect(await tries("bob", begin("den"), "beings")).toBe(200);
  expect(await tries("bob", begin("den"), "beings")).toBe(200);
  expect([await reads("bob", "den"), await reads("ada", "den")]).toEqual([
    [200, 200],
    [403, 403],
  ]);
  await session.run("delete from public.beings where id in ('hall', 'ada')");
  expect(await tries("bob", begin("hall"), "beings")).toBe(403);
  expect(await reads("bob")).toEqual([403, 403]);
});

test("owners: everybody reads and adds; what is somebody's only he changes", async () => {
  await adopt("owners");
  expect([await reads("ada"), await reads("bob")]).toEqual([
    [200, 200],
    [200, 200],
  ]);
  expect(await tries("bob", say("his"))).toBe(200);
  expect([await tries("bob", edit("his")), await tries("ada", edit("his"))]).toEqual([200, 403]);
  expect([await tries("ada", edit("hers")), await tries("bob", edit("hers"))]).toEqual([200, 403]);
  expect([await tries("bob", remove("hers")), await tries("ada", remove("hers"))]).toEqual([403, 200]);
  await session.run("insert into public.intentions (id, location_id) values ('nobodys', 'hall')");
  expect(await tries("ada", edit("nobodys"))).toBe(403);
  const rename = { action: "update", beingId: "ada", data: { name: "Ada" } };
  expect([await tries("bob", rename, "beings"), await tries("ada", rename, "beings")]).toEqual([403, 200]);
});

test("bots: bots write, guests read, and no guest makes a bot of himself", async () => {
  await adopt("bots");
  expect([await reads("ada"), await reads("robot")]).toEqual([
    [200, 200],
    [200, 200],
  ]);
  expect([await tries("robot", say("r")), await tries("ada", say("a"))]).toEqual([200, 403]);
  expect([await tries("robot", edit("hers")), await tries("ada", edit("hers"))]).toEqual([200, 403]);
  expect(await tries("ada", { action: "update", beingId: "ada", data: { type: "bot" } }, "beings")).toBe(403);
  expect(await tries("eve", { action: "create", beingId: "eve", data: { type: "bot" } }, "beings")).toBe(403);
  expect(await tries("ada", say("still"))).toBe(403);
});

test.each(["members", "owners", "bots"])("docs/access.md shows the policy of %s as it is", async (name) => {
  const [policy, page] = await Promise.all(
    [`sql/policies/${name}.sql`, "docs/access.md"].map((file) =>
      readFile(new URL(`../../../${file}`, import.meta.url), "utf8"),
    ),
  );
  expect(page).toContain((policy as string).replace(/^(--.*\n)+\n?/, ""));
});
