import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { useServe } from "./demo.js";

const db = useDatabase();
const serve = useServe();
const env = { DATABASE_URL: db.url, DEMO: "true" };

test("a signal is obeyed while the bot is starting, and nobody complains", async () => {
  for (const wait of [0, 5, 20, 60]) {
    const { command } = await serve(env);
    await setTimeout(wait);
    command.child.kill("SIGTERM");
    expect(await command.end).toMatchObject({ code: 0, stderr: "" });
  }
});

test("a signal is obeyed while an answer grows, and it is failed after the next start", async () => {
  const session = await Session.open(db);
  const { command } = await serve(env);
  const answer = () =>
    session.value("select state || ': ' || (content->>0) from intentions where owner_id = 'pip-workshop'");
  await expect.poll(() => session.value("select count(*)::int from beings where type = 'bot'")).toBe(2);
  // Only what is said after its start has an answer.
  await expect
    .poll(
      async () => {
        await session.run(`insert into intentions (location_id, content) values ('workshop', '["long"]')`);
        return answer();
      },
      { interval: 500 },
    )
    .toMatch(/^active: A long/);
  command.child.kill("SIGTERM");
  expect(await command.end).toMatchObject({ code: 0, stderr: "" });
  expect(await answer()).toMatch(/^active: /);
  const again = await serve(env);
  await expect.poll(answer).toMatch(/^failed: A long/);
  await again.stop();
});

test("with a database of yours and without DEMO there is no page, no bot, and nothing is made", async () => {
  const session = await Session.open(db);
  await session.run("delete from intentions", "delete from beings");
  const { url, command, stop } = await serve({ DATABASE_URL: db.url });
  for (const path of ["/", "/demo.json"]) {
    const response = await fetch(new URL(path, url));
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ success: false, code: "not_found" });
  }
  await setTimeout(500);
  expect(await session.value("select count(*)::int from beings")).toBe(0);
  expect(command.stdout).not.toMatch(/demo/);
  await stop();
});
