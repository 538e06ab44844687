import { mkdir, rm, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { blocksOf } from "../docs/blocks.js";
import { useDatabase } from "../support/postgres/database.js";
import { useTracker } from "../support/postgres/tracker.js";
import { eventually } from "../support/relay/follow.js";
import { useRelay } from "../support/relay/relay.js";

const db = useDatabase();
const relay = useRelay(db);
const tracker = useTracker(db);

test("the live query of docs/frameworks.md shows open tasks, and adds one", async (context) => {
  await tracker.write("apollo", "Land");
  const [block] = blocksOf("docs/frameworks.md").filter(({ language }) => language === "ts");
  const text = String(block?.text)
    .replace("http://127.0.0.1:8787", relay.current.url)
    .replace('"spacefeed"', '"../../src/client/index.js"')
    .replace('"spacefeed/tanstack-db"', '"../../src/tanstack-db/index.js"');
  const folder = new URL("../../node_modules/.frameworks/", import.meta.url);
  await mkdir(folder, { recursive: true });
  const file = new URL("tasks.ts", folder);
  await writeFile(file, text);
  context.onTestFinished(() => rm(folder, { recursive: true }));
  const { client, tasks, open, add } = await import(file.href);
  context.onTestFinished(async () => {
    await Promise.all([open.cleanup(), tasks.cleanup()]);
    client.close();
  });
  await open.preload();
  const titles = () => open.toArray.map(({ title }: { title: string }) => title);
  expect(titles()).toEqual(["Land"]);
  await add("Dock");
  await tracker.session.query("update tracker.tasks set is_done = true where title = 'Land'");
  await eventually(() => expect(titles()).toEqual(["Dock"]));
  expect(await tracker.titles("apollo")).toEqual(["Dock", "Land"]);
});
