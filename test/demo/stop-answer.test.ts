import { expect, test, vi } from "vitest";
import { useBrowser } from "../support/browser/browser.js";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { useDemo, Visitor } from "./demo.js";

vi.setConfig({ testTimeout: 60_000 });
const db = useDatabase();
const demo = useDemo(db);
const browser = useBrowser();
const session = useSession(db);

const long = async () =>
  (
    await session.query(
      `select state, content ->> 0 as text from intentions where owner_id = 'pip-lobby' and content ->> 0 like 'A long%'`,
    )
  )[0];

test("any reader stops the bot's answer: it is cancelled for all, and grows no further", async () => {
  const [ada, bob] = await Promise.all([
    Visitor.come(browser, demo.current.url),
    Visitor.come(browser, demo.current.url),
  ]);
  await ada.say("long");
  await expect.poll(async () => (await long())?.text ?? "").toMatch(/^A long/);
  const stop = bob.page.getByRole("button", { name: "Stop Pip" });
  await stop.focus();
  await bob.page.keyboard.press("Enter");
  await expect.poll(async () => (await long())?.state).toBe("cancelled");
  for (const visitor of [ada, bob]) {
    await expect.poll(async () => (await visitor.messages()).at(-1)?.state).toBe("cancelled");
    await expect.poll(() => visitor.page.getByRole("button", { name: "Stop Pip" }).count()).toBe(0);
  }
  // The bot goes on with what is said next, and leaves the stopped one as it is.
  const stopped = (await long()) as { text: string };
  await bob.say("help");
  await ada.sees(/^Say anything/);
  const later = (await long()) as { state: string; text: string };
  expect(later.state).toBe("cancelled");
  // What was on its way when it was stopped, and no more.
  expect(later.text.length - stopped.text.length).toBeLessThanOrEqual(4);
  expect((await ada.messages()).find(({ state }) => state === "cancelled")?.text).toBe(later.text);
});
