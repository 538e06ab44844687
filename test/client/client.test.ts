import { expect, type TestContext, test, vi } from "vitest";
import { createSpaceClient, readSpace } from "../../src/client/index.js";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { runProgram } from "../support/process/run-program.js";
import { closing, eventually, expectEqual, follow, followed } from "../support/relay/follow.js";
import { HttpProxy } from "../support/relay/http-proxy.js";
import { useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db);
vi.setConfig({ testTimeout: 60_000 });
const session = useSession(db);

async function begin(context: TestContext) {
  const spaceId = await newSpace(relay.current);
  const proxy = closing(context, await HttpProxy.before(relay.current.url));
  return { proxy, spaceId, options: { url: proxy.url, spaceId } };
}
const say = (spaceId: string, name = "") =>
  session.query("insert into intentions (location_id, name) values ($1, $2)", [spaceId, name]);

test("the headers are sent with the stream, with polls and with changes", async (context) => {
  const { proxy, options } = await begin(context);
  const client = await followed(context, { ...options, headers: { Authorization: "Bearer me" } });
  await client.refresh();
  await client.createIntention({});
  expect(proxy.asked.map(({ path }) => path)).toEqual(["/api/stream", "/api/sync", "/api/intentions"]);
  for (const { headers } of proxy.asked) expect(headers.authorization).toBe("Bearer me");
  expect(proxy.asked[2]?.headers["content-type"]).toBe("application/json");
  expect(proxy.asked[0]?.headers.accept).toBe("text/event-stream");
});

test("a function of headers is asked each time, and may take its time", async (context) => {
  const { proxy, options } = await begin(context);
  let asked = 0;
  const headers = async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return { Authorization: `Bearer ${++asked}` };
  };
  const client = await followed(context, { ...options, headers });
  await client.createIntention({});
  await client.refresh();
  proxy.cut();
  await eventually(() => expect(proxy.of("/api/stream").length).toBe(2));
  const sent = proxy.asked.map(({ headers }) => headers.authorization);
  expect(new Set(sent).size).toBe(sent.length);
});

test("a function of headers that fails is an error of the line, and is asked again", async (context) => {
  const { options } = await begin(context);
  let fails = true;
  const headers = () => {
    if (fails) throw new Error("no token yet");
    return { Authorization: "Bearer me" };
  };
  const client = follow(context, { ...options, headers });
  const stored = client.createIntention({});
  await eventually(() => expect(client.getSnapshot().fault?.message).toMatch(/no token yet/));
  fails = false;
  await stored;
  await eventually(() =>
    expect(client.getSnapshot()).toMatchObject({ mode: "realtime", error: null, fault: null }),
  );
  await expectEqual(client, relay.current.url);
});

test("a fetch of one's own is used for everything", async (context) => {
  const { options } = await begin(context);
  const paths: string[] = [];
  const own: typeof fetch = (address, init) => {
    paths.push(new URL(address as string | URL).pathname);
    return fetch(address, init);
  };
  const client = await followed(context, { ...options, fetch: own });
  await client.refresh();
  await client.createBeing({ id: `being in ${client.spaceId}` });
  expect(paths).toEqual(["/api/stream", "/api/sync", "/api/beings"]);
});

test("refresh resolves when the state is there", async (context) => {
  const { proxy, spaceId, options } = await begin(context);
  // Without a stream, and before the next poll: what is there was asked for.
  proxy.rule = ({ path }) => (path === "/api/stream" ? { status: 503 } : "pass");
  const client = follow(context, options);
  await eventually(() => {
    expect(client.getSnapshot().mode).toBe("polling");
    expect(client.getSnapshot().data).not.toBeNull();
  });
  await say(spaceId, "new");
  await client.refresh();
  expect(client.getSnapshot().intentions).toMatchObject([{ name: "new" }]);
  const before = client.getSnapshot();
  await client.refresh();
  expect(client.getSnapshot().data).toBe(before.data);
});

test("a refresh that does not work resolves, and says so until that is dismissed", async (context) => {
  const { proxy, options } = await begin(context);
  const client = await followed(context, options);
  proxy.rule = ({ path }) => (path === "/api/sync" ? "lose request" : "pass");
  await client.refresh();
  expect(client.getSnapshot()).toMatchObject({
    mode: "realtime",
    error: { code: "unavailable", message: expect.stringMatching(/does not answer/) },
    fault: null,
  });
  client.dismissError();
  expect(client.getSnapshot().error).toBeNull();
});

test("who subscribes is told of each change until it ends that, and until close", async (context) => {
  const { spaceId, options } = await begin(context);
  const client = await followed(context, options);
  const told = { first: 0, second: 0 };
  const end = client.subscribe(() => told.first++);
  client.subscribe(() => told.second++);
  await say(spaceId);
  await eventually(() => expect(told).toEqual({ first: 1, second: 1 }));
  end();
  end();
  await say(spaceId);
  await eventually(() => expect(told).toEqual({ first: 1, second: 2 }));
  const stored = client.createIntention({});
  expect(told).toEqual({ first: 1, second: 3 });
  client.close();
  await say(spaceId);
  await stored;
  expect(told).toEqual({ first: 1, second: 3 });
});

test("who is told may subscribe, unsubscribe and change at once", async (context) => {
  const { options } = await begin(context);
  const client = await followed(context, options);
  const seen: (string | undefined)[] = [];
  const end = client.subscribe(() => {
    const [first] = client.getSnapshot().intentions;
    seen.push(first?.name);
    if (first?.name !== "one" || client.getSnapshot().pendingIds.size > 0) return;
    end();
    void client.updateIntention(first.id, { name: "two" });
  });
  await client.createIntention({ name: "one" });
  await eventually(() => expect(client.getSnapshot().intentions[0]?.name).toBe("two"));
  await expectEqual(client, relay.current.url);
  expect(seen).toContain("one");
});

test("the methods that React takes need no `this`", async (context) => {
  const { options } = await begin(context);
  const { subscribe, getSnapshot } = follow(context, options);
  const end = subscribe(() => {});
  expect(getSnapshot()).toBe(getSnapshot());
  end();
});

test("a being and a message are found by their IDs, with the client's own changes", async (context) => {
  const { options } = await begin(context);
  const client = await followed(context, options);
  const being = await client.createBeing({ id: `b in ${client.spaceId}`, name: "Bea" });
  const stored = client.createIntention({ id: `m in ${client.spaceId}`, name: "mine" });
  expect(client.getIntention(`m in ${client.spaceId}`)).toMatchObject({ name: "mine", messageId: "" });
  expect(client.getBeing(being.id)).toMatchObject({ name: "Bea" });
  expect(client.getBeing(client.spaceId)).toMatchObject({ type: "space" });
  expect([client.getBeing("nobody"), client.getIntention(being.id)]).toEqual([undefined, undefined]);
  await stored;
  const deleted = client.deleteBeing(being.id);
  expect(client.getBeing(being.id)).toBeUndefined();
  await deleted;
});

test("a client that is closed takes nothing more, and closing again does nothing", async (context) => {
  const { proxy, spaceId, options } = await begin(context);
  const client = createSpaceClient({ tabs: false, ...options });
  await eventually(() => expect(client.getSnapshot().data).not.toBeNull());
  const { data } = client.getSnapshot();
  client.close();
  client.close();
  await say(spaceId);
  const asked = proxy.asked.length;
  await client.refresh();
  expect(await client.loadOlder()).toBe(false);
  expect(client.getSnapshot()).toMatchObject({ data, error: null });
  expect(proxy.asked.length).toBeLessThanOrEqual(asked + 1);
});

test("a listener that throws costs no change: each is stored, resolves, and settles", async (context) => {
  const { spaceId } = await begin(context);
  const work = `
    const faults = [];
    process.on("uncaughtException", (error) => faults.push(error.message));
    await until(() => client.getSnapshot().connected && client.getSnapshot().data);
    let isTold = false;
    client.subscribe(() => {
      // Once, when it is told that the first change has been stored.
      const { intentions: [first], pendingIds } = client.getSnapshot();
      if (isTold || !first || pendingIds.has(first.id)) return;
      isTold = true;
      throw new Error("a listener's fault");
    });
    const names = ["1", "2", "3"];
    const all = await Promise.allSettled(names.map((name) => client.createIntention({ name })));
    console.log(all.map(({ status }) => status).join(" "));
    await until(() => client.getSnapshot().intentions.every(({ messageId }) => messageId !== ""));
    console.log(client.getSnapshot().intentions.map(({ name }) => name).join(" "), client.getSnapshot().pendingIds.size);
    client.close();`;
  expect(await runProgram(context, work, relay.current.url, spaceId)).toBe(
    "fulfilled fulfilled fulfilled\n1 2 3 0\nclosed\nended with 0",
  );
});

test("what is kept with headers must say whose it is", () => {
  const options = {
    url: relay.current.url,
    spaceId: "s",
    persist: true,
    headers: { Authorization: "Bearer me" },
  };
  for (const tabs of [undefined, true, false, ""]) {
    const given = tabs === undefined ? options : { ...options, tabs };
    expect(() => createSpaceClient(given)).toThrowError(expect.objectContaining({ code: "config" }));
  }
  createSpaceClient({ ...options, tabs: "me" }).close();
});

test("what was read on a server is shown at once, and gone on from; that of another space is not", async (context) => {
  const { proxy, spaceId, options } = await begin(context);
  await say(spaceId, "before");
  const initialState = await readSpace({ url: relay.current.url, spaceId });
  await say(spaceId, "meanwhile");
  const client = follow(context, { ...options, initialState });
  const names = () => client.getSnapshot().intentions.map(({ name }) => name);
  expect([client.getSnapshot().mode, names()]).toEqual(["cache", ["before"]]);
  await expectEqual(client, relay.current.url);
  expect(names()).toEqual(["before", "meanwhile"]);
  expect(proxy.asked.map(({ path, query }) => [path, query.get("since")])).toEqual([
    ["/api/stream", initialState.cursor],
  ]);
  const other = follow(context, { ...options, spaceId: await newSpace(relay.current), initialState });
  expect(other.getSnapshot()).toMatchObject({ mode: "opening", data: null });
});

test("a space that cannot be read says why", async () => {
  const reading = readSpace({ url: relay.current.url, spaceId: "nowhere" });
  await expect(reading).rejects.toMatchObject({
    code: "not_found",
    message: expect.stringContaining("nowhere"),
  });
  const away = readSpace({ url: "http://127.0.0.1:1", spaceId: "lobby" });
  await expect(away).rejects.toMatchObject({ code: "unavailable" });
});
