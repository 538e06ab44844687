import { expect, test, vi } from "vitest";
import { FAILED_REQUEST, useBrowser } from "../support/browser/browser.js";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { useServe, Visitor } from "./demo.js";

vi.setConfig({ testTimeout: 90_000 });
const db = useDatabase();
const serve = useServe();
const browser = useBrowser();

test("the mode is shown: realtime, polling without the stream, and offline with what is saved", async () => {
  browser.allow(FAILED_REQUEST);
  const demo = await serve({ DATABASE_URL: db.url, DEMO: "true" });
  const ada = await Visitor.come(browser, demo.url);
  const status = ada.page.getByRole("status").filter({ hasText: /Realtime|Polling|Offline|Connecting/ });
  const isShown = (words: RegExp) => expect.poll(() => status.textContent()).toMatch(words);
  await isShown(/^●Realtime/);

  await ada.page.route("**/api/stream*", (route) => route.abort());
  await ada.page.reload();
  await isShown(/^◐Polling/);
  const session = await Session.open(db);
  await session.run(`insert into intentions (location_id, content) values ('lobby', '["Found by looking"]')`);
  await ada.sees("Found by looking");
  await ada.page.unroute("**/api/stream*");
  await isShown(/^●Realtime/);

  await demo.stop();
  await isShown(/^○Offline– showing saved messages/);
  await ada.sees("Found by looking");
  await ada.say("Written while the server was away");
  const message = ada.page.locator(".sf-message", { hasText: "Written while the server was away" });
  await expect.poll(() => message.getAttribute("data-pending")).toBe("true");

  const again = await serve({ DATABASE_URL: db.url, DEMO: "true", PORT: new URL(demo.url).port });
  await isShown(/^●Realtime/);
  await expect.poll(() => message.getAttribute("data-pending")).toBeNull();
  const stored = `select count(*)::int from intentions where content->>0 = 'Written while the server was away'`;
  expect(await session.value(stored)).toBe(1);
  await again.stop();
});
