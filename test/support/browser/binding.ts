import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { useDatabase } from "../postgres/database.js";
import { useTracker } from "../postgres/tracker.js";
import { useRunning } from "../process/running.js";
import { useRelay } from "../relay/relay.js";
import { newSpace } from "../relay/space.js";
import { FAILED_REQUEST, useBrowser } from "./browser.js";
import type { Build } from "./bundle.js";
import { startSite } from "./site.js";

const SRC = fileURLToPath(new URL("../../../src/", import.meta.url));
const DOCS = new URL("../../../docs/frameworks.md", import.meta.url);

/** Tests that hold for the binding of each framework, with the component that docs/frameworks.md shows. `entry` renders it. */
export function testBinding(
  room: "vue" | "svelte" | "solid",
  plugins: NonNullable<Build["plugins"]>,
  entry: URL,
) {
  const db = useDatabase();
  const relay = useRelay(db);
  const tracker = useTracker(db);
  const browser = useBrowser();
  const site = useRunning(
    async () => {
      // Below the repository, where what it imports is found.
      const folder = await mkdtemp(join(SRC, "../node_modules/.room-"));
      const file = join(folder, `room.${room === "solid" ? "tsx" : room}`);
      await writeFile(file, await componentOf(room));
      const alias = { room: file, [`spacefeed/${room}`]: join(SRC, room, "index.ts") };
      const made = await startSite({ entry, relay, build: { plugins, resolve: { alias } } });
      await rm(folder, { recursive: true });
      return made;
    },
    (site) => site.close(),
  );
  const show = (page: Page, ...spaceIds: string[]) =>
    page.evaluate((spaceIds) => window.rooms.show(...spaceIds), spaceIds);
  const said = (page: Page) => page.getByText("Hello", { exact: true });
  const streams = async () => {
    const { values } = await relay.current.metrics.clients.get();
    return values.find(({ labels }) => labels.endpoint === "stream")?.value ?? 0;
  };

  async function open(...spaceIds: string[]) {
    const page = await browser.newPage();
    const asked: string[] = [];
    page.on("request", (request) => request.url().includes("/api/stream") && asked.push(request.url()));
    await page.goto(site.current.url);
    await show(page, ...spaceIds);
    for (const status of await page.getByRole("status").all()) {
      await expect.poll(() => status.textContent()).toBe("realtime");
    }
    return { page, asked };
  }
  const named = async (name: string) => {
    const spaceId = await newSpace(relay.current);
    await tracker.session.query("update public.beings set name = $2 where id = $1", [spaceId, name]);
    return spaceId;
  };

  test("P6: a component shows what anybody writes: messages, beings, rows of a tracked table", async () => {
    const spaceId = await named("Apollo");
    const { page } = await open(spaceId);
    await page.getByRole("heading", { name: "Apollo" }).waitFor();
    await tracker.session.query(
      "insert into public.intentions (id, location_id, content) values ('said in ' || $1::text, $1, '[\"From SQL\"]')",
      [spaceId],
    );
    await tracker.session.query(
      "insert into public.beings (id, name, location_id) values ('ada', 'Ada', $1)",
      [spaceId],
    );
    const task = await tracker.write(spaceId, "Land");
    await page.getByText("From SQL").waitFor();
    await page.getByText("With Apollo, Ada").waitFor();
    const box = page.getByLabel("Land");
    await expect.poll(() => box.isChecked()).toBe(false);

    const element = await box.elementHandle();
    await tracker.session.query("update tracker.tasks set title = 'Landed', is_done = true where id = $1", [
      task,
    ]);
    await expect.poll(() => page.getByLabel("Landed").isChecked()).toBe(true);
    expect(await element?.isVisible()).toBe(true); // a row that changes keeps its element
    await tracker.session.query("delete from tracker.tasks where id = $1", [task]);
    await expect.poll(() => page.getByRole("checkbox").count()).toBe(0);
    await tracker.session.query("delete from public.beings where id = 'ada'");
    await page.getByText("With Apollo", { exact: true }).waitFor();
  });

  test("a change shows at once as pending, and is stored", async () => {
    const spaceId = await named("Apollo");
    const task = await tracker.write(spaceId, "Land");
    const { page } = await open(spaceId);
    let letThrough = () => {};
    const gate = new Promise<void>((resolve) => {
      letThrough = resolve;
    });
    await page.route("**/api/intentions", async (route) => {
      await gate;
      await route.continue();
    });
    await page.getByRole("button").click();
    await expect.poll(() => said(page).getAttribute("aria-busy")).toBe("true");
    letThrough();
    await expect.poll(() => said(page).getAttribute("aria-busy")).toBe("false");
    await page.getByLabel("Land").check();
    const isDone = () => tracker.session.value("select is_done from tracker.tasks where id = $1", [task]);
    await expect.poll(isDone).toBe(true);
  });

  test("a change that is refused is taken back, and says why", async () => {
    browser.allow(FAILED_REQUEST);
    const spaceId = await named("Apollo");
    await tracker.session.run(
      `alter table public.intentions add constraint silent check (location_id <> '${spaceId}') not valid`,
      "alter table tracker.tasks add constraint locked check (title not ilike '%locked' or not is_done)",
    );
    await tracker.write(spaceId, "Locked");
    const { page } = await open(spaceId);
    await page.getByRole("button").click();
    await expect.poll(() => page.getByRole("status").textContent()).toContain("silent");
    expect(await said(page).count()).toBe(0);

    const box = page.getByLabel("Locked");
    await box.click();
    await expect.poll(() => page.getByRole("status").textContent()).toContain("locked");
    await expect.poll(() => box.isChecked()).toBe(false);
    await tracker.session.query("update tracker.tasks set title = 'Still locked' where title = 'Locked'");
    await expect.poll(() => page.getByLabel("Still locked").isChecked()).toBe(false);
  });

  test("components of one space share one stream, which goes when the last of them has gone", async () => {
    const spaceId = await named("Apollo");
    const { page, asked } = await open(spaceId, spaceId);
    expect([asked.length, await streams()]).toEqual([1, 1]);
    await show(page, spaceId);
    await page.getByRole("button").click();
    await said(page).waitFor();
    await show(page);
    await expect.poll(streams).toBe(0);
    expect(asked.length).toBe(1);
  });

  test("a component that is given another space shows that one, and leaves the first", async () => {
    const [first, second] = [await named("Apollo"), await named("Gemini")];
    await tracker.write(first, "Land");
    await tracker.write(second, "Dock");
    const { page, asked } = await open(first);
    await page.getByLabel("Land").waitFor();
    await show(page, second);
    await page.getByRole("heading", { name: "Gemini" }).waitFor();
    await page.getByLabel("Dock").waitFor();
    expect(await page.getByLabel("Land").count()).toBe(0);
    await page.getByRole("button").click();
    await said(page).waitFor();
    const where = "select count(*)::int from public.intentions where location_id = $1";
    await expect.poll(() => tracker.session.value(where, [second])).toBe(1);
    await show(page);
    await expect.poll(streams).toBe(0);
    expect(asked.length).toBeGreaterThan(1);
  });
}

/** The component of a framework in the docs. */
async function componentOf(room: string): Promise<string> {
  const fence = room === "solid" ? "tsx" : room;
  const [, text] = new RegExp(`\`\`\`${fence}\n(.*?)\`\`\``, "s").exec(await readFile(DOCS, "utf8")) ?? [];
  if (!text) throw new Error(`docs/frameworks.md has no block of ${fence}`);
  return text;
}
