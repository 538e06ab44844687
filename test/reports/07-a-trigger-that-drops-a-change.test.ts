import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { post, useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db);
const session = useSession(db);

beforeAll(async () => {
  await session.run(
    "create function public.drop_it() returns trigger language plpgsql as $$ begin return null; end $$",
  );
});

const CHANGES = [
  { path: "beings", key: "beingId", noun: "being", action: "update" },
  { path: "beings", key: "beingId", noun: "being", action: "delete" },
  { path: "intentions", key: "intentionId", noun: "message", action: "update" },
  { path: "intentions", key: "intentionId", noun: "message", action: "delete" },
] as const;

test.each(CHANGES)(
  "who asks for what a trigger of the DBA drops is told so, and not that there is nothing: $action of $path",
  async ({ path, key, noun, action }) => {
    const spaceId = await newSpace(relay.current);
    const id = `kept ${path} ${action}`;
    const create = { action: "create", [key]: id, spaceId, data: { name: "as it was" } };
    const { body: before } = await post(relay.current, path, create);
    await session.run(
      `create trigger drop_it before ${action} on public.${path} for each row execute function public.drop_it()`,
    );
    const ask = (asked: object) =>
      post(relay.current, path, {
        action,
        ...asked,
        ...(action === "update" && { data: { name: "other" } }),
      });
    const kept = await ask({ [key]: id });
    const keptHere = await ask({ [key]: id, spaceId });
    const elsewhere = await ask({ [key]: id, spaceId: "elsewhere" });
    const missing = await ask({ [key]: "nobody" });
    await session.run(`drop trigger drop_it on public.${path}`);

    const error = `the database has the ${noun} ${id}, but did not ${action} it: a trigger on public.${path} dropped the ${action}`;
    for (const { status, body } of [kept, keptHere]) {
      expect([status, body]).toEqual([409, { success: false, code: "conflict", error }]);
    }
    expect([elsewhere.status, missing.status]).toEqual([404, 404]);
    expect((await post(relay.current, path, { action: "get", [key]: id })).body).toEqual(before);
    expect((await ask({ [key]: id })).status).toBe(200);
  },
);
