import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { FAILED_REQUEST, useBrowser } from "../support/browser.js";
import { Conversation } from "../support/conversation.js";
import { useDatabase } from "../support/database.js";
import { useRelay } from "../support/relay.js";
import { type Site, startSite } from "../support/site.js";
import { PATIENCE } from "../support/space-page.js";

vi.setConfig({ testTimeout: 60_000 });
const db = useDatabase();
const relay = useRelay(db);
const browser = useBrowser();
const page = new URL("../../node_modules/.readme/page.tsx", import.meta.url);
let site: Site;

// The component of the README as it stands there, on a page.
beforeAll(async () => {
  const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
  const [, component] = /```tsx\n(.*?)```/s.exec(readme) ?? [];
  const mount = `
import { createRoot } from "react-dom/client";
createRoot(document.getElementById("root") as HTMLElement).render(<Hall />);
`;
  await mkdir(new URL(".", page), { recursive: true });
  await writeFile(page, `${component}`.replace('"spacefeed/react"', '"../../src/react/index.js"') + mount);
  site = await startSite({ entry: page, relay });
});
afterAll(async () => {
  await site?.close();
  await rm(new URL(".", page), { recursive: true, force: true });
});

test("the form of the README keeps a text that is refused, and says why", async () => {
  browser.allow(FAILED_REQUEST);
  const conversation = await Conversation.begin(db, "hall");
  await conversation.session.run(
    "alter table intentions add constraint polite check (content->>0 <> 'a curse') not valid",
  );
  const tab = await browser.newPage();
  await tab.goto(site.url);
  const field = tab.getByLabel("Message");
  const status = tab.getByRole("status");
  await expect.poll(() => status.textContent(), PATIENCE).toBe("realtime");

  await field.fill("a curse");
  await field.press("Enter");
  await expect.poll(() => status.textContent(), PATIENCE).toContain("polite");
  await expect.poll(() => field.inputValue(), PATIENCE).toBe("a curse");
  expect(await conversation.texts()).toEqual([]);

  await field.fill("a blessing");
  await field.press("Enter");
  await expect.poll(() => conversation.texts(), PATIENCE).toEqual(["a blessing"]);
  expect(await field.inputValue()).toBe("");
  expect(await status.textContent()).toBe("realtime");
  await tab.getByText("a blessing").waitFor();
});
