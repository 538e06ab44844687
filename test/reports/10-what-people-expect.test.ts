import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { describe, expect, expectTypeOf, type TestContext, test, vi } from "vitest";
import { createSpaceClient, type Intention } from "../../src/client/index.js";
import { useSpaceData } from "../../src/react/index.js";
import { useDatabase } from "../support/postgres/database.js";
import { closing, eventually, followed } from "../support/relay/follow.js";
import { HttpProxy } from "../support/relay/http-proxy.js";
import { useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

vi.setConfig({ testTimeout: 60_000 });
const db = useDatabase();
const relay = useRelay(db);

async function begin(context: TestContext) {
  const spaceId = await newSpace(relay.current);
  const proxy = closing(context, await HttpProxy.before(relay.current.url));
  return { spaceId, proxy, url: proxy.url };
}

test("each function of a client can be taken off it, and needs no `this`", async (context) => {
  const { spaceId, url } = await begin(context);
  const functions = createSpaceClient({ url, spaceId, tabs: false });
  const { subscribe, getSnapshot, getBeing, getIntention, refresh, loadOlder, dismissError, close } =
    functions;
  const { createBeing, updateBeing, deleteBeing, createIntention, updateIntention, deleteIntention } =
    functions;
  const { getEntities, getEntity, createEntity, updateEntity, deleteEntity } = functions;
  const names = [...Object.keys(functions), ...Object.getOwnPropertyNames(Object.getPrototypeOf(functions))];
  expect(names.filter((name) => name !== "constructor").sort()).toEqual(
    `spaceId subscribe getSnapshot getBeing getIntention refresh waitFor loadOlder dismissError close createBeing updateBeing
      deleteBeing createIntention updateIntention deleteIntention getEntities getEntity createEntity updateEntity deleteEntity`
      .split(/\s+/)
      .sort(),
  );
  const end = subscribe(() => {});
  const being = await createBeing({ name: "Ada" });
  await updateBeing(being.id, { name: "Ada L." });
  const message = await createIntention({ content: ["hello"] });
  await updateIntention(message.id, { content: ["hello all"] });
  await refresh();
  expect([getBeing(being.id)?.name, getIntention(message.id)?.content]).toEqual(["Ada L.", ["hello all"]]);
  expect(await loadOlder()).toBe(false);
  await deleteIntention(message.id);
  await deleteBeing(being.id);
  expect([getEntities("cat"), getEntity("cat", "none")]).toEqual([[], undefined]);
  const refused = [
    createEntity("cat"),
    updateEntity("cat", "none", { name: "a" }),
    deleteEntity("cat", "none"),
  ];
  for (const change of refused) await expect(change).rejects.toMatchObject({ code: "invalid" }); // nothing is tracked so
  expect(getSnapshot().intentions).toEqual([]);
  dismissError();
  end();
  close();
});

describe("a mode says what is so", () => {
  test("at the start nothing is cached: it is opening until there is data", async (context) => {
    const { spaceId, url } = await begin(context);
    const client = closing(context, createSpaceClient({ url, spaceId, tabs: false }));
    const modes = [client.getSnapshot().mode];
    client.subscribe(() => {
      const { mode, data } = client.getSnapshot();
      expect(mode === "opening").toBe(data === null);
      modes.push(mode);
    });
    await eventually(() => expect(client.getSnapshot().mode).toBe("realtime"));
    expect(modes[0]).toBe("opening");
    expect(modes).not.toContain("cache");
  });

  test("on a server it is opening, too", () => {
    const Mode = () => createElement("p", null, useSpaceData("anywhere").mode);
    expect(renderToString(createElement(Mode))).toBe("<p>opening</p>");
  });
});

test("what is wrong has a code, words and a beginning, and the line's fault is apart from refusals", async (context) => {
  const { spaceId, url, proxy } = await begin(context);
  const client = await followed(context, { url, spaceId });
  const before = new Date().toISOString();
  expect(client.getSnapshot()).toMatchObject({ error: null, fault: null });
  await expect(client.updateIntention("none", { name: "x" })).rejects.toMatchObject({ code: "not_found" });
  const { error, fault } = client.getSnapshot();
  expect([error, fault]).toEqual([
    { code: "not_found", message: expect.stringMatching(/there is no message/), since: expect.any(String) },
    null,
  ]);
  expect(error && error.since >= before && error.since <= new Date().toISOString()).toBe(true);

  proxy.rule = ({ path }) => (path === "/api/stream" ? { status: 502 } : "pass");
  proxy.cut();
  await eventually(() => expect(client.getSnapshot().mode).toBe("polling"));
  const cut = client.getSnapshot();
  expect(cut.error).toEqual(error);
  expect(cut.fault).toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/^no live updates: /),
  });
  // The reason may become another one; the outage is the same.
  proxy.rule = () => "lose request";
  await eventually(() => expect(client.getSnapshot().mode).toBe("cache"));
  expect(client.getSnapshot().fault).toMatchObject({
    message: expect.stringMatching(/does not answer/),
    since: cut.fault?.since,
  });
  client.dismissError();
  expect(client.getSnapshot()).toMatchObject({ error: null, fault: { code: "unavailable" } });
  proxy.rule = () => "pass";
  await eventually(() => expect(client.getSnapshot().fault).toBeNull());
});

test("a change after close() is rejected, is shown nowhere, and is not sent", async (context) => {
  const { spaceId, url, proxy } = await begin(context);
  const client = await followed(context, { url, spaceId });
  const { id } = await client.createIntention({ content: ["before"] });
  client.close();
  const snapshot = client.getSnapshot();
  const asked = proxy.asked.length;
  for (const change of [
    client.createIntention({ content: ["after"] }),
    client.updateIntention(id, { content: ["after"] }),
    client.deleteIntention(id),
    client.createBeing({ name: "after" }),
    client.updateBeing(spaceId, { name: "after" }),
    client.deleteBeing(spaceId),
  ]) {
    await expect(change).rejects.toMatchObject({ code: "unavailable", message: /the client is closed/ });
  }
  expect(client.getSnapshot()).toBe(snapshot);
  expect(proxy.asked.length).toBe(asked);
});

test("the parts of messages have the type that the page gives them", async (context) => {
  const { spaceId, url } = await begin(context);
  type Part = { text: string };
  const client = closing(context, createSpaceClient<Part>({ url, spaceId, tabs: false }));
  expectTypeOf(client.createIntention).parameter(0).exclude<undefined>().toHaveProperty("content");
  expectTypeOf(client.getIntention).returns.toEqualTypeOf<Intention<Part> | undefined>();
  expectTypeOf(useSpaceData<Part>)
    .returns.toHaveProperty("utterances")
    .toEqualTypeOf<readonly Intention<Part>[]>();
  // @ts-expect-error a text is none of them
  const wrong = { content: ["text"] } satisfies Parameters<typeof client.createIntention>[0];
  const { content } = await client.createIntention({ content: [{ text: "hello" }] });
  expect([content[0]?.text, wrong.content.length]).toEqual(["hello", 1]);
  // Who says nothing has what nobody has looked at.
  expectTypeOf(createSpaceClient({ url, spaceId, tabs: false }).getIntention("x")?.content).toEqualTypeOf<
    unknown[] | undefined
  >();
});
