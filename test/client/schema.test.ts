import { type } from "arktype";
import * as v from "valibot";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { createSpaceClient, defineSchemas } from "../../src/client/index.js";
import { NO_ROWS } from "../../src/client/lists.js";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { closing, eventually } from "../support/relay/follow.js";
import { useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

vi.setConfig({ testTimeout: 60_000 });
const db = useDatabase();
const relay = useRelay(db);
const session = useSession(db);

/** What any other type of row may look like. */
const rows = (...tasks: { id: string; [field: string]: unknown }[]) => ({ ...NO_ROWS, task: tasks });
const check = (schemas: ReturnType<typeof defineSchemas>, ...tasks: Parameters<typeof rows>) => {
  const { lists, problems } = schemas.check(rows(...tasks));
  return [lists.task, problems] as const;
};

test.each([
  ["zod", z.object({ title: z.string() })],
  ["valibot", v.object({ title: v.string() })],
  ["ArkType", type({ title: "string" })],
])("a schema of %s says which rows there are, and what is wrong with the others", (_, task) => {
  const schemas = defineSchemas({ entities: { task } });
  const [fitting, problems] = check(schemas, { id: "a", title: "Land" }, { id: "b", title: 5 });
  expect(fitting).toMatchObject([{ id: "a", title: "Land" }]);
  expect(problems).toMatchObject([{ code: "invalid", type: "task", id: "b", row: { id: "b", title: 5 } }]);
  expect(problems[0]?.message).toMatch(/^task "b" does not fit its schema: title: .*string/i);
  expect(problems[0]?.issues.length).toBe(1);
});

test("a row is as the schema makes it, and keeps its ID", () => {
  const task = z.object({ due: z.coerce.date(), done: z.boolean().default(false) });
  const [fitting] = check(defineSchemas({ entities: { task } }), { id: "a", due: "2026-01-02", secret: 1 });
  expect(fitting).toEqual([{ id: "a", due: new Date("2026-01-02"), done: false }]);
});

test("a row is checked once, and what is made of it stays the same object", () => {
  const parse = vi.fn((title: string) => title.length > 0);
  const schemas = defineSchemas({ entities: { task: z.object({ title: z.string().refine(parse) }) } });
  const [good, bad] = [
    { id: "a", title: "Land" },
    { id: "b", title: "" },
  ];
  const [before, problems] = check(schemas, good, bad);
  const [now, still] = check(schemas, good, bad, { id: "c", title: "Fly" });
  expect(now?.[0]).toBe(before?.[0]);
  expect(still[0]).toBe(problems[0]);
  expect(parse).toHaveBeenCalledTimes(3);
});

test("a schema that throws, or that is asynchronous, is a problem of the row and not of the page", () => {
  const validate = () => {
    throw new Error("a fault of its own");
  };
  const broken = { "~standard": { version: 1, vendor: "own", validate } } as const;
  const [none, [problem]] = check(defineSchemas({ entities: { task: broken } }), { id: "a" });
  expect([none, problem?.message]).toEqual([[], expect.stringContaining("a fault of its own")]);
  const later = z.object({}).refine(async () => true);
  const [, [second]] = check(defineSchemas({ entities: { task: later } }), { id: "a" });
  expect(second?.message).toMatch(/the schema is asynchronous/);
});

test("rows without a schema are left as they are, whatever their type is called", () => {
  const lists = { ...NO_ROWS, constructor: [{ id: "a" }] };
  const checked = defineSchemas({ entities: {} }).check(lists as never);
  expect(checked).toEqual({ lists, problems: [] });
});

test("a client shows the messages that fit, and names the others until they do", async (context) => {
  const spaceId = await newSpace(relay.current);
  const part = z.discriminatedUnion("type", [
    z.object({ type: z.literal("text"), text: z.string() }),
    z.object({ type: z.literal("image"), url: z.url() }),
  ]);
  const say = (id: string, ...content: unknown[]) =>
    session.query(
      `insert into intentions (id, location_id, content) values ($1, $2, $3::jsonb)
       on conflict (id) do update set content = excluded.content`,
      [id + spaceId, spaceId, JSON.stringify(content)],
    );
  await say("good", { type: "text", text: "hello" });
  await say("bad", { type: "image", url: "no address" });
  const schemas = defineSchemas({ content: z.array(part) });
  const client = closing(
    context,
    createSpaceClient({ url: relay.current.url, spaceId, tabs: false, schemas }),
  );
  const shown = () => client.getSnapshot();
  await eventually(() => expect(shown().mode).toBe("realtime"));
  expect(shown().utterances.map(({ id }) => id)).toEqual([`good${spaceId}`]);
  expect(shown().intentionIds).toEqual([`good${spaceId}`]);
  expect(shown().data?.intentions).toBe(shown().intentions);
  expect(client.getIntention(`bad${spaceId}`)).toBeUndefined();
  expect(shown()).toMatchObject({ error: null, problems: [{ type: "intention", id: `bad${spaceId}` }] });
  expect(shown().problems[0]?.message).toMatch(/does not fit its schema: 0\.url: Invalid URL/);
  const { problems } = shown();

  await say("other", { type: "text", text: "still there" });
  await eventually(() => expect(shown().intentions.length).toBe(2));
  expect(shown().problems).toBe(problems);
  await say("bad", { type: "image", url: "https://example.com" });
  await eventually(() => expect(shown().problems).toEqual([]));
  expect(shown().intentions.length).toBe(3);

  // One's own change, too: it is stored, and shown as a problem.
  await client.createIntention({ content: [{ type: "sound" } as never] });
  await eventually(() =>
    expect(shown().problems.map(({ row }) => row)).toMatchObject([{ content: [{ type: "sound" }] }]),
  );
});
