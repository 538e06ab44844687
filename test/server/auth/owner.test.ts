import { beforeAll, beforeEach, expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { post, useRelay } from "../../support/relay/relay.js";
import { as, SECRET, tokensBy } from "../../support/relay/token.js";

const db = useDatabase();
const relay = useRelay(db, { tokens: tokensBy({ AUTH_JWT_SECRET: SECRET }) });
const open = useRelay(db);
const session = useSession(db);
let n = 0;

beforeAll(async () => {
  await session.run("insert into public.beings (id, type) values ('hall', 'space')");
});
beforeEach(() => {
  n++;
});

const NOUNS = [
  { path: "beings", key: "beingId" },
  { path: "intentions", key: "intentionId" },
] as const;

const ask = async (who: string, path: "beings" | "intentions", body: object) =>
  post(relay.current, path, body, await as(who));

const ownerIn = (path: string, id: string) =>
  session.value(`select owner_id from public.${path} where id = $1`, [id]);

test.each(NOUNS)("what is created in $path is the caller's", async ({ path, key }) => {
  const create = { action: "create", [key]: `own-${n}`, spaceId: "hall" };
  expect((await ask("ada", path, create)).body.data.ownerId).toBe("ada");
  const named = { ...create, [key]: `named-${n}`, data: { ownerId: "ada" } };
  expect((await ask("ada", path, named)).body.data.ownerId).toBe("ada");
});

test.each(NOUNS)("nobody creates in $path what is another's, or nobody's", async ({ path, key }) => {
  for (const ownerId of ["bob", "", null, "ada "]) {
    const create = { action: "create", [key]: `forged-${n}`, spaceId: "hall", data: { ownerId } };
    const { status, body } = await ask("ada", path, create);
    expect([status, body.code]).toEqual(ownerId === "" ? [400, "invalid"] : [403, "forbidden"]);
    expect(await ownerIn(path, `forged-${n}`)).toBeUndefined();
  }
});

test.each(NOUNS)("an update of $path changes no owner, also not to the caller", async ({ path, key }) => {
  const id = `kept-${n}`;
  await ask("ada", path, { action: "create", [key]: id, spaceId: "hall" });
  const update = (ownerId: string | null) => ({ action: "update", [key]: id, data: { name: "x", ownerId } });
  for (const [who, ownerId] of [
    ["ada", "bob"],
    ["ada", null],
    ["bob", "bob"],
  ] as const) {
    const { status, body } = await ask(who, path, update(ownerId));
    expect([status, body.code, body.error]).toEqual([
      403,
      "forbidden",
      expect.stringMatching(/ownerId is ada/),
    ]);
  }
  expect(await ownerIn(path, id)).toBe("ada");
  expect((await ask("ada", path, update("ada"))).status).toBe(200);
  expect(
    (await ask("bob", path, { action: "update", [key]: id, data: { name: "y" } })).body.data.ownerId,
  ).toBe("ada");
});

test.each(NOUNS)("an update gives $path that are nobody's no owner", async ({ path, key }) => {
  const id = `nobodys-${n}`;
  await session.query(`insert into public.${path} (id, location_id) values ($1, 'hall')`, [id]);
  const { status } = await ask("ada", path, { action: "update", [key]: id, data: { ownerId: "ada" } });
  expect([status, await ownerIn(path, id)]).toEqual([403, null]);
});

test.each(NOUNS)(
  "a create of $path that is sent again is the caller's row; somebody else's is a conflict",
  async ({ path, key }) => {
    const create = { action: "create", [key]: `again-${n}`, spaceId: "hall" };
    const first = await ask("ada", path, create);
    expect(await ask("ada", path, create)).toEqual(first);
    expect(await ask("ada", path, { ...create, data: { ownerId: "ada" } })).toEqual(first);
    for (const [data, status] of [
      [{}, 409],
      [{ ownerId: "bob" }, 409],
      [{ ownerId: "ada" }, 403],
    ] as const) {
      expect((await ask("bob", path, { ...create, data })).status).toBe(status);
    }
    expect(await ownerIn(path, `again-${n}`)).toBe("ada");
  },
);

test.each(NOUNS)("without tokens the owner in $path is whoever is named, as ever", async ({ path, key }) => {
  const create = { action: "create", [key]: `open-${n}`, spaceId: "hall", data: { ownerId: "bob" } };
  expect((await post(open.current, path, create)).body.data.ownerId).toBe("bob");
  const update = { action: "update", [key]: `open-${n}`, data: { ownerId: null } };
  expect((await post(open.current, path, update)).body.data.ownerId).toBeNull();
});
