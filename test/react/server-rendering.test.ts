import type { Page } from "playwright-core";
import { renderToString } from "react-dom/server";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { defineSchemas, readSpace } from "../../src/client/index.js";
import { compose, type Scene, seen } from "./pages/parts.js";
import { useStage } from "./stage.js";

const stage = useStage();

const sceneOf = (spaceId: string): Scene => ({
  strict: true,
  provider: { url: stage.site.url },
  parts: [
    { what: "Chat", spaceId },
    { what: "BeingPresence", spaceId },
    { what: "InlineBeingName", spaceId, beingId: spaceId },
    { what: "useSpaceData", spaceId },
  ],
});

test("on a server, everything renders without what is in the space, and nothing is asked for", async () => {
  const asked = vi.spyOn(globalThis, "fetch");
  const timers = vi.spyOn(globalThis, "setTimeout");
  const html = renderToString(compose(sceneOf("anywhere")));
  await new Promise((resolve) => setImmediate(resolve));
  expect(html).toContain("Waiting for the conversation");
  expect(html).toContain('aria-label="Who belongs here"');
  expect([asked.mock.calls, timers.mock.calls]).toEqual([[], []]);
  vi.restoreAllMocks();
});

test("a page takes over what the server has rendered, also when it knows the space already", async () => {
  const spaceId = await stage.newSpace();
  await stage.join(spaceId, "Ada");
  await stage.say(spaceId, "hello");
  const scene = sceneOf(spaceId);
  const page = await stage.open(scene);
  await page.getByText("Ada").waitFor();
  // What does not fit is an error on the console, which fails the test.
  await page.evaluate(([scene, html]) => window.stage.hydrate(scene, html), [
    scene,
    renderToString(compose(scene)),
  ] as const);
  await page.locator("#hydrated").getByText("Ada").waitFor();
  await expect.poll(() => page.locator("#hydrated .sf-message-content").allTextContents()).toEqual(["hello"]);
});

/** Where the page shows a text in each frame of its first 1.5 s, in pixels from above; null where it is not to be seen. */
async function whereIn(page: Page, scene: Scene, html: string, text: string) {
  return page.evaluate(
    async ([scene, html, text]) => {
      const tops: (number | null)[] = [];
      window.stage.hydrate(scene, html);
      for (let frame = 0; frame < 90; frame++) {
        await new Promise(requestAnimationFrame);
        const shown = [...document.querySelectorAll("#hydrated .sf-message-content")].find((message) => {
          if (message.textContent !== text) return false;
          const { left, top, height } = message.getBoundingClientRect();
          return message.contains(document.elementFromPoint(left + 5, top + height / 2));
        });
        tops.push(shown ? Math.round(shown.getBoundingClientRect().top) : null);
      }
      return tops;
    },
    [scene, html, text] as const,
  );
}

test("what a server has read is rendered there, stays in sight while the page takes over, and goes on from its cursor", async () => {
  const spaceId = await stage.newSpace();
  const ownerId = await stage.join(spaceId, "Ada");
  await stage.fill(spaceId, 150);
  await stage.say(spaceId, "the last one", { ownerId });
  const state = await readSpace({ url: stage.relay.url, spaceId });
  const scene = { ...sceneOf(spaceId), state };
  const html = renderToString(compose(scene));
  expect(html).toContain("the last one");
  expect(html).toMatch(/sf-being-name[^>]*>Ada</);
  expect(state.intentions?.length).toBe(100);

  const page = await stage.open({ parts: [] });
  const asked: URL[] = [];
  page.on("request", (request) => asked.push(new URL(request.url())));
  await stage.say(spaceId, "said meanwhile");
  const tops = await whereIn(page, scene, html, "the last one");
  expect(tops).not.toContain(null);
  // It moves once: for the message that has come meanwhile.
  expect(new Set(tops).size).toBeLessThanOrEqual(2);
  await page.locator("#hydrated").getByText("said meanwhile", { exact: true }).waitFor();
  expect(asked.map(({ pathname, searchParams }) => [pathname, searchParams.get("since")])).toEqual([
    ["/api/stream", state.cursor],
  ]);
  await stage.say(spaceId, "live");
  await page.locator("#hydrated").getByText("live", { exact: true }).waitFor();
});

test("a short conversation that a server has rendered does not move either", async () => {
  const spaceId = await stage.newSpace();
  await stage.say(spaceId, "all that there is");
  const scene = { ...sceneOf(spaceId), state: await readSpace({ url: stage.relay.url, spaceId }) };
  const page = await stage.open({ parts: [] });
  const tops = await whereIn(page, scene, renderToString(compose(scene)), "all that there is");
  expect([new Set(tops).size, tops[0]]).toEqual([1, expect.any(Number)]);
});

test("what a schema refuses is left out on a server, too, and is among the problems", async () => {
  const spaceId = await stage.newSpace();
  await stage.say(spaceId, "a text");
  await stage.session.query(
    "insert into public.intentions (id, location_id, content) values ($1, $2, '[7]')",
    [`seven in ${spaceId}`, spaceId],
  );
  const state = await readSpace({ url: stage.relay.url, spaceId });
  const schemas = defineSchemas({ content: z.array(z.string()) });
  const html = renderToString(compose({ ...sceneOf(spaceId), provider: { schemas }, state }));
  expect(html).toContain("a text");
  expect(html).not.toContain(">7<");
  expect(seen.data).toMatchObject({ problems: [{ type: "intention", id: `seven in ${spaceId}` }] });
});

test("what a server has read of one relay is not shown where a hook names another one", async () => {
  const spaceId = await stage.newSpace();
  const state = await readSpace({ url: stage.relay.url, spaceId });
  const part = { what: "useSpaceData", spaceId } as const;
  const elsewhere = { ...part, options: { url: "http://127.0.0.1:1" }, as: "elsewhere" };
  renderToString(compose({ ...sceneOf(spaceId), state, parts: [part, elsewhere] }));
  expect(seen).toMatchObject({ data: { mode: "cache" }, elsewhere: { mode: "opening", data: null } });
});

test("a page that is ahead of what the server has rendered takes it over without a complaint", async () => {
  const spaceId = await stage.newSpace();
  const ada = await stage.join(spaceId, "Ada");
  await stage.say(spaceId, "hello", { id: `gone in ${spaceId}`, ownerId: ada });
  await stage.session.query("update public.beings set name = 'The hall' where id = $1", [spaceId]);
  const scene = { ...sceneOf(spaceId), state: await readSpace({ url: stage.relay.url, spaceId }) };
  const html = renderToString(compose(scene));
  await stage.session.query("delete from public.intentions where location_id = $1", [spaceId]);
  await stage.session.query("update public.beings set name = name || ' now' where location_id = $1", [
    spaceId,
  ]);

  const page = await stage.open(sceneOf(spaceId));
  await page.getByText("The hall now").first().waitFor();
  await page.evaluate(([scene, html]) => window.stage.hydrate(scene, html), [scene, html] as const);
  const taken = page.locator("#hydrated");
  await taken.getByText("The hall now").first().waitFor();
  await expect.poll(() => taken.locator(".sf-message").count()).toBe(0);
});

test("a page takes over names that only another space of it knows", async () => {
  const [here, there] = [await stage.newSpace(), await stage.newSpace()];
  const ownerId = await stage.join(there, "Grace");
  await stage.say(here, "hello", { ownerId });
  const parts: Scene["parts"] = [
    { what: "Chat", spaceId: here },
    { what: "InlineBeingName", spaceId: here, beingId: ownerId },
  ];
  const scene = { ...sceneOf(here), parts, state: await readSpace({ url: stage.relay.url, spaceId: here }) };
  const html = renderToString(compose(scene));
  expect(html).not.toContain("Grace");

  const page = await stage.open(sceneOf(there));
  await page.getByText("Grace").waitFor();
  await page.evaluate(([scene, html]) => window.stage.hydrate(scene, html), [scene, html] as const);
  await expect.poll(() => page.locator("#hydrated").getByText("Grace").count()).toBe(2);
});
