import { beforeAll, expect, test } from "vitest";
import { useBrowser } from "../support/browser/browser.js";
import { useSite } from "../support/browser/site.js";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { useRelay } from "../support/relay/relay.js";
import { runFile } from "./statements.js";

const db = useDatabase();
const relay = useRelay(db);
const site = useSite({ entry: new URL("./pages/rhiz.tsx", import.meta.url), relay });
const browser = useBrowser();
const session = useSession(db);

beforeAll(async () => {
  await runFile(session, "rhiz.sql");
  await runFile(session, "rhiz-adopt.sql");
});

const say = (id: string) =>
  session.query(
    `insert into rhiz_om_intentions ("id", "name", "type", "ownerId", "locationId", "state", "content")
     values ($1::text, '', 'utterance', '@guest-3', '@space-1', 'complete', jsonb_build_array($1::text))`,
    [id],
  );

test("the original hook, our hook and our components work on the application's tables, on one page", async () => {
  const page = await browser.newPage();
  await page.goto(site.current.url);
  const texts = (list: string) => page.locator(`#${list} li`).allTextContents();
  await expect.poll(() => texts("original-intentions")).toHaveLength(100);
  const newest = await texts("original-intentions");
  // The chat goes on with older ones, as long as they are in sight.
  await expect.poll(async () => (await texts("our-intentions")).slice(-100)).toEqual(newest);

  // A message ID stands for two versions before it. Those are not to be of the fill, which has too much for events.
  for (const n of [1, 2, 3]) await say(`/before ${n}`);
  await say("/first");
  await session.run(`update rhiz_om_intentions set "content" = '["the first"]' where "id" = '/first'`);
  await session.run(`update rhiz_om_beings set "name" = 'Bot the first' where "id" = '@bot-1'`);
  for (const list of ["original-intentions", "our-intentions"]) {
    await expect.poll(async () => (await texts(list)).at(-1)).toBe("the first");
  }
  for (const list of ["original-beings", "our-beings"]) {
    await expect.poll(() => texts(list)).toContain("Bot the first");
  }
  await expect.poll(() => page.locator("#name").textContent()).toBe("Bot the first");
  await expect.poll(() => page.locator("#ours").textContent()).toMatch(/Guest 54/); // BeingPresence, and messages by them
  expect((await texts("our-beings")).sort()).toEqual((await texts("original-beings")).sort());

  // Recovery: away by hand, and back with the ID of the last message.
  await page.getByRole("button", { name: "Disconnect" }).click();
  for (const n of [1, 2, 3]) await say(`/missed ${n}`);
  await expect.poll(async () => (await texts("our-intentions")).at(-1)).toBe("/missed 3");
  expect((await texts("original-intentions")).at(-1)).toBe("the first");
  await page.getByRole("button", { name: "Connect" }).click();
  await expect
    .poll(async () => (await texts("original-intentions")).slice(-4))
    .toEqual(["the first", "/missed 1", "/missed 2", "/missed 3"]);
  const seen = (await page.locator("#original").getAttribute("data-seen"))?.split(" ") ?? [];
  expect(seen.filter((type) => type === "space-sync")).toHaveLength(1); // events, and no second snapshot
});
