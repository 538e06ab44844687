import { expect, test } from "vitest";
import type { SharedSpaceClient, UseSpaceDataResult } from "../../src/react/index.js";
import { post } from "../support/relay/relay.js";
import { hold } from "./gate.js";
import { show, useStage } from "./stage.js";

const stage = useStage();

const FIELDS = "data beings intentions entities connected error onlineBeings utterances refresh";
const MORE = "fault problems mode hasMore pendingIds waitFor loadOlder dismissError";
const CHANGES =
  "createBeing updateBeing deleteBeing createIntention updateIntention deleteIntention createEntity updateEntity deleteEntity";

/** A page with the hook, once it is in realtime and has the space: the line lives a moment before. */
async function openData(spaceId: string) {
  const page = await stage.open({ parts: [{ what: "useSpaceData", spaceId }] });
  const read = <T>(look: (data: UseSpaceDataResult) => T): Promise<T> =>
    page.evaluate(`(${look})(window.stage.seen.data)`);
  await expect.poll(() => read((data) => data.connected && data.data !== null)).toBe(true);
  return { page, read };
}

test("useSpaceData returns what the document of 25 July specifies, the rest, and nothing else", async () => {
  const spaceId = await stage.newSpace();
  await stage.join(spaceId, "Ada");
  await stage.join(spaceId, "Minutes", "document");
  await stage.say(spaceId, "hello", { id: `${spaceId} hello` });
  await stage.say(spaceId, "oh no", { id: `${spaceId} error`, type: "error" });
  const { read } = await openData(spaceId);
  expect((await read((data) => Object.keys(data))).sort()).toEqual(
    `${FIELDS} ${MORE} ${CHANGES}`.split(" ").sort(),
  );
  const seen = await read((data) => ({
    keys: Object.keys(data.data ?? {}).sort(),
    version: data.data?.version,
    beings: data.beings.map(({ id }) => id).sort(),
    online: data.onlineBeings.map(({ id }) => id).sort(),
    intentions: data.intentions.map(({ id }) => id),
    utterances: data.utterances.map(({ id }) => id),
    isSame: data.data?.beings === data.beings && data.data?.intentions === data.intentions,
    rest: [data.error, data.fault, data.mode, data.hasMore, data.pendingIds.size],
  }));
  expect(seen).toEqual({
    keys: ["beings", "intentions", "timestamp", "version"],
    version: 5,
    beings: [`ada in ${spaceId}`, `minutes in ${spaceId}`, spaceId].sort(),
    online: [`ada in ${spaceId}`, spaceId].sort(),
    intentions: [`${spaceId} hello`, `${spaceId} error`],
    utterances: [`${spaceId} hello`],
    isSame: true,
    rest: [null, null, "realtime", false, 0],
  });
});

test("before anything is known, data is null and the lists are empty", async () => {
  const page = await stage.open({ parts: [] });
  const first = await page.evaluate(
    async (spaceId) => {
      window.stage.show({ parts: [{ what: "useSpaceData", spaceId }] });
      while (!window.stage.seen.data) await new Promise((resolve) => requestAnimationFrame(resolve));
      const { data, beings, intentions, mode, connected, error } = window.stage.seen
        .data as UseSpaceDataResult;
      return { data, beings, intentions, mode, connected, error };
    },
    await stage.newSpace(),
  );
  expect(first).toEqual({
    data: null,
    beings: [],
    intentions: [],
    mode: "opening",
    connected: false,
    error: null,
  });
});

test("the functions stay the same objects, and so does what did not change", async () => {
  const spaceId = await stage.newSpace();
  await stage.say(spaceId, "first", { id: `${spaceId} first` });
  const { page, read } = await openData(spaceId);
  await page.evaluate(() => Object.assign(window, { before: window.stage.seen.data }));
  await stage.say(spaceId, "second");
  await expect.poll(() => read((data) => data.intentions.length)).toBe(2);
  const same = await page.evaluate(() => {
    const [now, before] = [
      window.stage.seen.data,
      (window as unknown as { before: unknown }).before,
    ] as Record<string, unknown>[];
    return Object.keys(now ?? {}).filter((key) => now?.[key] === before?.[key]);
  });
  expect(same.sort()).toEqual(
    `refresh waitFor loadOlder dismissError fault problems ${CHANGES} beings onlineBeings connected error mode hasMore pendingIds`
      .split(" ")
      .sort(),
  );
});

test("changes show at once, and wait in pendingIds until they are stored", async () => {
  const spaceId = await stage.newSpace();
  const { page, read } = await openData(spaceId);
  const gate = await hold(page, "intentions", "create");
  await page.evaluate(() => {
    const { createIntention } = window.stage.seen.data as UseSpaceDataResult;
    void createIntention({ id: "mine", content: ["at once"] });
  });
  await expect
    .poll(() => read((data) => data.intentions.map(({ content }) => content[0])))
    .toEqual(["at once"]);
  expect(await read((data) => [...data.pendingIds])).toEqual(["mine"]);
  await gate.untilAsked(1);
  gate.open();
  await expect.poll(() => read((data) => data.pendingIds.size)).toBe(0);
  const { body } = await post(stage.relay, "intentions", { action: "list", spaceId });
  expect(body.data.map(({ id }: { id: string }) => id)).toEqual(["mine"]);
});

test("a refused change is taken back, and its reason is the error until it is dismissed", async () => {
  stage.browser.allow(/Failed to load resource.*409/);
  const spaceId = await stage.newSpace();
  const { page, read } = await openData(spaceId);
  const refusal = await page.evaluate((id) => {
    const { createBeing } = window.stage.seen.data as UseSpaceDataResult;
    // Who does not look at the promise sees it in `error`: this one is no unhandled rejection.
    void createBeing({ id, name: "another space" });
    return createBeing({ id, name: "once more" }).catch((error) => error.code);
  }, spaceId);
  expect(refusal).toBe("conflict");
  expect(await read((data) => data.beings.map(({ name }) => name))).toEqual([""]);
  await expect
    .poll(() => read((data) => data.error))
    .toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/\w+/),
      since: expect.any(String),
    });
  await page.evaluate(() => (window.stage.seen.data as UseSpaceDataResult).dismissError());
  await expect.poll(() => read((data) => data.error)).toBeNull();
});

test("useBeing and useIntention give one entity, and undefined when it is not there", async () => {
  const spaceId = await stage.newSpace();
  const id = await stage.join(spaceId, "Ada");
  await stage.say(spaceId, "hello", { id: `${spaceId} hello` });
  const page = await stage.open({
    parts: [
      { what: "useBeing", spaceId, id },
      { what: "useBeing", spaceId, id: "nobody", as: "nobody" },
      { what: "useIntention", spaceId, id: `${spaceId} hello` },
    ],
  });
  const seen = () => page.evaluate(() => window.stage.seen);
  await expect.poll(seen).toMatchObject({ being: { name: "Ada" }, intention: { content: ["hello"] } });
  expect((await seen()).nobody).toBeUndefined();
  await stage.change(`${spaceId} hello`, "hello again");
  await expect.poll(seen).toMatchObject({ intention: { content: ["hello again"] } });
  await stage.session.query("delete from public.beings where id = $1", [id]);
  await expect.poll(async () => (await seen()).being).toBeUndefined();
});

test("useSpaceClient keeps the client open, and its functions work alone", async () => {
  const spaceId = await stage.newSpace();
  const page = await stage.open({ parts: [{ what: "useSpaceClient", spaceId }] });
  await expect.poll(() => stage.streams()).toBe(1);
  const content = await page.evaluate(async () => {
    const { createIntention, getIntention } = window.stage.seen.client as SharedSpaceClient;
    const { id } = await createIntention({ content: ["alone"] });
    return getIntention(id)?.content;
  });
  expect(content).toEqual(["alone"]);
  expect(await page.evaluate(() => Object.keys(window.stage.seen.client as object))).not.toContain("close");
  await show(page, { parts: [] });
  await expect.poll(() => stage.streams()).toBe(0);
});
