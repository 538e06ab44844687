import type { Page } from "playwright-core";
import { renderToString } from "react-dom/server";
import { expect, test } from "vitest";
import type { Entity } from "../../src/client/index.js";
import type { SharedSpaceClient } from "../../src/react/index.js";
import { useTracker } from "../support/postgres/tracker.js";
import { compose, type Part } from "./pages/parts.js";
import { useStage } from "./stage.js";

const stage = useStage();
const tracker = useTracker(stage.db);

/** A page that shows the tasks of a project, and each of its first two. */
async function open() {
  const spaceId = tracker.newProject();
  const ids = [await tracker.write(spaceId, "a"), await tracker.write(spaceId, "b")] as const;
  const parts: Part[] = [
    { what: "useEntities", spaceId },
    { what: "useEntity", spaceId, id: ids[0], as: "first" },
    { what: "useEntity", spaceId, id: ids[1], as: "second" },
    { what: "useSpaceClient", spaceId },
  ];
  const page = await stage.open({ parts });
  await shows(page, ["a", "b"]);
  return { page, spaceId, ids, parts };
}
const titleOf = (row: unknown) => (row as Entity | undefined)?.title;
async function shows(page: Page, titles: string[]) {
  const all = () => page.evaluate(() => window.stage.seen.tasks as Entity[] | undefined);
  await expect.poll(async () => (await all())?.map(titleOf).sort()).toEqual(titles);
}
const title = async (page: Page, as: string) =>
  titleOf(await page.evaluate((as) => window.stage.seen[as] as Entity | undefined, as));
const renders = (page: Page, ...names: string[]) =>
  page.evaluate((names) => names.map((name) => window.stage.renders[name]), names);

test("useEntities shows the rows of a table, and useEntity one of them, as they come, change and go", async () => {
  const { page, spaceId, ids } = await open();
  expect([await title(page, "first"), await title(page, "second")]).toEqual(["a", "b"]);
  await tracker.write(spaceId, "c");
  await shows(page, ["a", "b", "c"]);
  await tracker.session.query("update tracker.tasks set title = 'A' where id = $1", [ids[0]]);
  await expect.poll(() => title(page, "first")).toBe("A");
  await tracker.session.query("delete from tracker.tasks where id = $1", [ids[1]]);
  await expect.poll(() => title(page, "second")).toBeUndefined();
  await shows(page, ["A", "c"]);
});

test("a component renders again when its own row changes, and not when another one does, or a message", async () => {
  const { page, spaceId, ids } = await open();
  const before = await renders(page, `OneTask ${ids[0]}`, `OneTask ${ids[1]}`, "Tasks");
  await stage.say(spaceId, "of no task");
  await tracker.session.query("update tracker.tasks set title = 'B' where id = $1", [ids[1]]);
  await shows(page, ["B", "a"]);
  const [first = 0, second = 0, tasks = 0] = before;
  expect(await renders(page, `OneTask ${ids[0]}`, `OneTask ${ids[1]}`, "Tasks")).toEqual([
    first,
    second + 1,
    tasks + 1,
  ]);
});

test("a change by useSpaceClient shows at once, and is stored", async () => {
  const { page, spaceId, ids } = await open();
  const stored = await page.evaluate(async (id) => {
    const client = window.stage.seen.client as SharedSpaceClient;
    const changed = client.updateEntity<string>("task", id, { title: "mine" });
    const shown = client.getEntity("task", id);
    await client.createEntity<string>("task", { title: "new" });
    await client.deleteEntity("task", id);
    return { shown, row: await changed, left: client.getEntities("task").length };
  }, ids[0]);
  expect(stored).toMatchObject({ shown: { title: "mine" }, row: { title: "mine" }, left: 2 });
  await shows(page, ["b", "new"]);
  expect(await tracker.titles(spaceId)).toEqual(["b", "new"]);
});

test("on a server there are none, and a page that knows them takes that over", async () => {
  const { page, parts } = await open();
  const html = renderToString(compose({ parts }));
  // What does not fit is an error on the console, which fails the test.
  await page.evaluate(([parts, html]) => window.stage.hydrate({ parts }, html), [parts, html] as const);
  await shows(page, ["a", "b"]);
});
