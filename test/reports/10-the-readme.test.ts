import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { FAILED_REQUEST, useBrowser } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { type Site, startSite } from "../support/browser/site.js";
import { useDatabase } from "../support/postgres/database.js";
import { useRelay } from "../support/relay/relay.js";

vi.setConfig({ testTimeout: 60_000 });
const db = useDatabase();
const relay = useRelay(db);
const browser = useBrowser();
const sites: Site[] = [];
let conversation: Conversation;
const folder = new URL("../../node_modules/.readme/", import.meta.url);

/** A component that a page shows, as it stands there, on a site. */
async function siteOf(page: string, name = "Hall"): Promise<Site> {
  const text = await readFile(new URL(`../../${page}`, import.meta.url), "utf8");
  const blocks = [...text.matchAll(/```tsx\n(.*?)```/gs)].map(([, block]) => block as string);
  const component = blocks.find((block) => block.includes(`export function ${name}()`));
  const mount = `
import { createRoot } from "react-dom/client";
createRoot(document.getElementById("root") as HTMLElement).render(<${name} />);
`;
  const entry = new URL(`${basename(page, ".md")}-${name}.tsx`, folder);
  const here = `${component}`.replace(/"spacefeed\/(react|devtools)"/g, '"../../src/$1/index.js"');
  await writeFile(entry, here + mount);
  const site = await startSite({ entry, relay });
  sites.push(site);
  return site;
}

beforeAll(async () => {
  await mkdir(folder, { recursive: true });
  conversation = await Conversation.begin(db, "hall");
});
beforeEach(() => conversation.session.run("delete from intentions"));
afterAll(async () => {
  await Promise.all(sites.map((site) => site.close()));
  await rm(folder, { recursive: true, force: true });
});

test("the ten lines of the README say hello to everybody", async () => {
  const [mine, others] = [await browser.newPage(), await browser.newPage()];
  const { url } = await siteOf("README.md");
  await Promise.all([mine.goto(url), others.goto(url)]);
  await expect.poll(() => others.getByRole("status").textContent()).toBe("realtime");
  await mine.getByRole("button").click();
  await others.getByText("Hello", { exact: true }).waitFor();
  await expect.poll(() => conversation.texts()).toEqual(["Hello"]);
});

test("the page of docs/browsers.md has devtools, which show its space", async () => {
  const tab = await browser.newPage();
  await tab.goto((await siteOf("docs/browsers.md", "Watched")).url);
  await tab.getByRole("button", { name: "Devtools" }).click();
  await tab.getByRole("button", { name: /hall/ }).waitFor();
});

test("the form of docs/client.md keeps a text that is refused, and says why", async () => {
  browser.allow(FAILED_REQUEST);
  await conversation.session.run(
    "alter table intentions add constraint polite check (content->>0 <> 'a curse') not valid",
  );
  const tab = await browser.newPage();
  await tab.goto((await siteOf("docs/client.md")).url);
  const field = tab.getByLabel("Message");
  const status = tab.getByRole("status");
  await expect.poll(() => status.textContent()).toBe("realtime");

  await field.fill("a curse");
  await field.press("Enter");
  await expect.poll(() => status.textContent()).toContain("polite");
  await expect.poll(() => field.inputValue()).toBe("a curse");
  expect(await conversation.texts()).toEqual([]);

  await field.fill("a blessing");
  await field.press("Enter");
  await expect.poll(() => conversation.texts()).toEqual(["a blessing"]);
  expect(await field.inputValue()).toBe("");
  expect(await status.textContent()).toBe("realtime");
  await tab.getByText("a blessing").waitFor();
});

test("the board of docs/client.md shows tasks, and changes them", async () => {
  await conversation.session.run(
    `create table public.tasks (id uuid primary key, project_id text not null, title text not null,
     done boolean not null default false)`,
    `select sync.track('public.tasks', space => 'project_id', columns => array['id', 'title', 'done'],
     name => 'task', writable => true)`,
    "insert into public.tasks values (gen_random_uuid(), 'apollo', 'Land')",
  );
  const tab = await browser.newPage();
  await tab.goto((await siteOf("docs/client.md", "Board")).url);
  await tab.getByText("Land").waitFor();
  await tab.getByRole("button", { name: "To do" }).click();
  await tab.getByRole("button", { name: "Done" }).waitFor();
  await tab.getByRole("button", { name: "Add" }).click();
  await tab.getByText("Another").waitFor();
  await expect
    .poll(() => conversation.session.query("select title, done from public.tasks order by title"))
    .toEqual([
      { title: "Another", done: false },
      { title: "Land", done: true },
    ]);
});
