import { renderToString } from "react-dom/server";
import { expect, test, vi } from "vitest";
import { compose, type Scene } from "./pages/parts.js";
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
