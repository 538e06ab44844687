import { expect, type TestContext, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { eventually, expectEqual, followed, followedBehindProxy } from "../support/relay/follow.js";
import type { HttpProxy } from "../support/relay/http-proxy.js";
import { useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db);
const session = useSession(db);

const begin = (context: TestContext) => followedBehindProxy(context, relay.current);
const posted = (proxy: HttpProxy) => proxy.asked.filter(({ method }) => method === "POST");
const names = (spaceId: string) =>
  session.query("select name from intentions where location_id = $1 order by substr(message_id, 5)::int", [
    spaceId,
  ]);

test("a refused creation is taken back, rejects, and says why until that is dismissed", async (context) => {
  const { client, proxy } = await begin(context);
  const wrong = { content: "not an array" } as unknown as { content: unknown[] };
  const refused = client.createIntention(wrong);
  expect(client.getSnapshot().intentions.length).toBe(1);
  await expect(refused).rejects.toMatchObject({
    name: "SpacefeedError",
    code: "invalid",
    message: /content/,
  });
  expect(client.getSnapshot()).toMatchObject({
    intentions: [],
    pendingIds: new Set(),
    error: { code: "invalid" },
  });
  expect(posted(proxy).length).toBe(1);
  client.dismissError();
  expect(client.getSnapshot().error).toBeNull();
  await expectEqual(client, relay.current.url);
});

test("a token that is not let in after an outage is said in fault, and the change waits", async (context) => {
  const { client, proxy } = await begin(context);
  let attempts = 0;
  proxy.rule = ({ method }) => (method !== "POST" ? "pass" : { status: ++attempts > 3 ? 401 : 503 });
  const stored = client.createIntention({ name: "late" });
  const fault = { code: "unauthorized", message: expect.stringMatching(/status 401/) };
  await eventually(() => expect(client.getSnapshot()).toMatchObject({ error: null, fault }));
  expect(client.getSnapshot().pendingIds.size).toBe(1);
  proxy.rule = () => "pass";
  await stored;
});

test("a refused update is taken back to what the database has", async (context) => {
  const { client } = await begin(context);
  const { id } = await client.createIntention({ content: ["good"] });
  const refused = client.updateIntention(id, { content: { no: "array" } as unknown as unknown[] });
  expect(client.getIntention(id)?.content).toEqual({ no: "array" });
  await expect(refused).rejects.toMatchObject({ code: "invalid" });
  expect(client.getIntention(id)?.content).toEqual(["good"]);
  await expectEqual(client, relay.current.url);
});

test("a refused deletion is taken back: the row is shown again", async (context) => {
  const { client } = await begin(context);
  await session.query(
    `create or replace function refuse() returns trigger language plpgsql as $$
     begin raise exception 'this one stays' using errcode = 'check_violation'; end $$`,
  );
  const { id } = await client.createIntention({ name: "stays" });
  await session.query(
    `create trigger stays before delete on intentions for each row when (old.name = 'stays') execute function refuse()`,
  );
  context.onTestFinished(() => session.run("drop trigger stays on intentions"));
  const refused = client.deleteIntention(id);
  expect(client.getIntention(id)).toBeUndefined();
  await expect(refused).rejects.toMatchObject({ message: "this one stays" });
  expect(client.getIntention(id)).toMatchObject({ name: "stays" });
});

test.for([300, 5_000])(
  "a change of %i KiB is refused as too large, and not sent again",
  async (kib, context) => {
    const { client, proxy, spaceId } = await begin(context);
    const content = ["x".repeat(kib * 1024)];
    await expect(client.createIntention({ content })).rejects.toMatchObject({ code: "too_large" });
    expect(posted(proxy).length).toBe(1);
    // The same without anything in between that takes the whole body first.
    const direct = await followed(context, { url: relay.current.url, spaceId });
    await expect(direct.createIntention({ content })).rejects.toMatchObject({ code: "too_large" });
    expect(await names(spaceId)).toEqual([]);
  },
);

test("what is not JSON is refused at once, and nothing else with it", async (context) => {
  const { client, proxy } = await begin(context);
  const circle: unknown[] = [];
  circle.push(circle);
  await expect(client.createIntention({ content: circle })).rejects.toMatchObject({ code: "invalid" });
  await expect(client.createIntention({ content: [1n] })).rejects.toMatchObject({ code: "invalid" });
  await client.createIntention({ content: ["good"] });
  expect(posted(proxy).length).toBe(1);
  await expectEqual(client, relay.current.url);
});

test("an ID that is taken is refused, at the first attempt", async (context) => {
  const { client, spaceId } = await begin(context);
  const id = `taken in ${spaceId}`;
  await session.query("insert into intentions (id, location_id, name) values ($1, 'elsewhere', 'theirs')", [
    id,
  ]);
  await expect(client.createIntention({ id, name: "mine" })).rejects.toMatchObject({ code: "conflict" });
  expect(client.getSnapshot().intentions).toEqual([]);
  expect(client.getSnapshot().error?.message).toMatch(/another message/);
});

test("what waits for a creation that is refused is refused with it, for the same reason", async (context) => {
  const { client, proxy, spaceId } = await begin(context);
  const id = `refused in ${spaceId}`;
  const all = [
    client.createIntention({ id, content: "no" as unknown as unknown[] }),
    client.updateIntention(id, { name: "x" }),
    client.createIntention({ name: "another" }),
    client.updateIntention(id, { state: "complete" }),
    client.deleteIntention(id),
    client.createBeing({ id, name: "a being of that ID" }),
  ];
  const settled = await Promise.allSettled(all);
  expect(settled.map(({ status }) => status)).toEqual([
    ...["rejected", "rejected", "fulfilled", "rejected", "rejected", "fulfilled"],
  ]);
  const reasons = settled.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  expect(new Set(reasons.map(({ message }) => message)).size).toBe(1);
  expect(posted(proxy).map(({ body }) => body.action)).toEqual(["create", "create", "create"]);
  expect(await names(spaceId)).toEqual([{ name: "another" }]);
  await expectEqual(client, relay.current.url);
});

test("updates that were sent as one are refused as one", async (context) => {
  const { client, proxy } = await begin(context);
  const { id } = await client.createIntention({});
  let first = true;
  proxy.rule = ({ method }) => {
    const verdict = method === "POST" && first ? "lose request" : "pass";
    if (method === "POST") first = false;
    return verdict;
  };
  const sent = client.updateIntention(id, { name: "sent" });
  const good = client.updateIntention(id, { name: "good" });
  const bad = client.updateIntention(id, { content: 1 as unknown as unknown[] });
  await sent;
  await expect(bad).rejects.toMatchObject({ code: "invalid" });
  await expect(good).rejects.toMatchObject({ code: "invalid" });
  expect(client.getIntention(id)).toMatchObject({ name: "sent" });
});

const said = (code: string) => JSON.stringify({ success: false, error: `it says ${code}`, code });
test.for<[string, { status: number; type?: string; text?: string }, number]>([
  ["the relay's 400", { status: 400, type: "application/json", text: said("invalid") }, 1],
  ["the relay's 401", { status: 401, type: "application/json", text: said("unauthorized") }, 2],
  ["the relay's 403", { status: 403, type: "application/json", text: said("forbidden") }, 1],
  ["the relay's 500", { status: 500, type: "application/json", text: said("internal") }, 2],
  ["the relay's 404", { status: 404, type: "application/json", text: said("not_found") }, 1],
  ["a proxy's 403", { status: 403 }, 1],
  ["a proxy's 413", { status: 413 }, 1],
  ["the relay's 503", { status: 503, type: "application/json", text: said("unavailable") }, 2],
  ["a 429", { status: 429, type: "application/json", text: said("rate_limited") }, 2],
  ["a proxy's 429", { status: 429 }, 2],
  ["a proxy's 404", { status: 404 }, 2],
  ["a proxy's 408", { status: 408 }, 2],
  ["a proxy's 502", { status: 502 }, 2],
  ["a proxy's 504", { status: 504 }, 2],
  ["a page where an answer should be", { status: 200, text: "<html>Log in to our WLAN" }, 2],
  [
    "another code, at a status that says no",
    { status: 422, type: "application/json", text: '{"code":"x"}' },
    1,
  ],
])("%s: what is no refusal is tried again", async ([, verdict, attempts], context) => {
  const { client, proxy } = await begin(context);
  let isFirst = true;
  proxy.rule = ({ method }) => {
    if (method !== "POST" || !isFirst) return "pass";
    isFirst = false;
    return verdict;
  };
  const stored = client.createIntention({ name: "x" });
  if (attempts === 1) await expect(stored).rejects.toMatchObject({ name: "SpacefeedError" });
  else await stored;
  expect(posted(proxy).length).toBe(attempts);
  expect(client.getSnapshot().intentions.length).toBe(attempts - 1);
});

test("a change that is stored is not taken for refused when a question after it is", async (context) => {
  const { client, proxy, spaceId } = await begin(context);
  const other = await newSpace(relay.current);
  const { id } = await client.createIntention({ name: "moves" });
  proxy.rule = ({ body }) =>
    body?.action === "list" ? { status: 403, type: "application/json", text: said("forbidden") } : "pass";
  expect(await client.updateIntention(id, { locationId: other })).toMatchObject({ locationId: other });
  expect(client.getSnapshot().error).toBeNull();
  expect(await names(spaceId)).toEqual([]);
  await expectEqual(client, relay.current.url);
});

test.for(["lose request", "lose answer"] as const)(
  "a move to another space is settled when what comes after it goes wrong (%s)",
  async (verdict, context) => {
    const { client, proxy, spaceId } = await begin(context);
    const other = await newSpace(relay.current);
    const { id } = await client.createIntention({ name: "moves" });
    let isFirst = true;
    proxy.rule = ({ body }) => {
      if (body?.action !== "list" || !isFirst) return "pass";
      isFirst = false;
      return verdict;
    };
    const moved = client.updateIntention(id, { locationId: other });
    expect(client.getIntention(id)).toBeUndefined();
    expect(await moved).toMatchObject({ locationId: other });
    await session.query("update intentions set location_id = $2 where id = $1", [id, spaceId]);
    await eventually(() =>
      expect(client.getIntention(id)).toMatchObject({ name: "moves", locationId: spaceId }),
    );
    await expectEqual(client, relay.current.url);
  },
);
