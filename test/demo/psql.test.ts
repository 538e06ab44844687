import { execFileSync, spawnSync } from "node:child_process";
import pg from "pg";
import { expect, test, vi } from "vitest";
import { useBrowser } from "../support/browser/browser.js";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { useDemo, useEmbeddedDemo, Visitor } from "./demo.js";

vi.setConfig({ testTimeout: 60_000 });
const db = useDatabase();
const withDatabaseUrl = useDemo(db);
/** As `npm start` does it: with a Postgres of its own. */
const embedded = useEmbeddedDemo();
const browser = useBrowser();
const hasPsql = spawnSync("psql", ["--version"]).status === 0 && process.platform !== "win32";

const lineOf = (visitor: Visitor) => visitor.page.locator(".psql code").textContent() as Promise<string>;

test("npm start says where the page is, and how to get in with psql", () => {
  expect(embedded.current.command.stdout).toMatch(
    /^\n {2}Spacefeed is at (http:\S+)\n.*browser.*demo.*\n {2}psql (postgres:\S+)\n\n$/,
  );
});

test("the line for psql writes into the page, into the space that is looked at", async () => {
  const ada = await Visitor.come(browser, embedded.current.url);
  for (const [spaceId, name] of [
    ["lobby", "The lobby"],
    ["workshop", "Workshop"],
  ] as const) {
    await ada.enter(name);
    await ada.isLive();
    const line = await lineOf(ada);
    const [, url, statement] = /^psql (postgres:\S+) -c "([^"]*)"$/.exec(line) ?? [];
    expect(statement).toContain(`'${spaceId}'`);
    const client = new pg.Client(url);
    await client.connect();
    await client.query(statement as string);
    await client.end();
    await ada.sees("Hello from psql");
    const message = ada.page.locator(".sf-message", { hasText: "Hello from psql" }).first();
    expect(await message.locator(".sf-message-owner").textContent()).toBe("SQL");
  }
});

test("the bot answers SQL, too", async () => {
  const ada = await Visitor.come(browser, embedded.current.url);
  await ada.sees(/^That one came straight from SQL.* msg_\d+, at version \d+/);
});

test.runIf(hasPsql)("copied and pasted into a shell, it works as it is", async () => {
  const ada = await Visitor.come(browser, embedded.current.url, {
    permissions: ["clipboard-read", "clipboard-write"],
  });
  await ada.page.getByRole("button", { name: "Copy" }).click();
  await ada.page.getByRole("button", { name: "Copied" }).waitFor();
  const line = await ada.page.evaluate(() => navigator.clipboard.readText());
  expect(line).toBe(await lineOf(ada));
  const before = (await ada.messages()).filter(({ text }) => text === "Hello from psql").length;
  expect(execFileSync("sh", ["-c", line], { encoding: "utf8" })).toMatch(/INSERT 0 1/);
  await expect
    .poll(async () => (await ada.messages()).filter(({ text }) => text === "Hello from psql").length)
    .toBe(before + 1);
});

test("with DATABASE_URL the page shows the statement alone, and nothing of how to get in", async () => {
  const ada = await Visitor.come(browser, withDatabaseUrl.current.url);
  const statement = await lineOf(ada);
  expect(statement).toMatch(/^insert into intentions \(.*\) values \('lobby', .*\);$/);
  expect(await ada.page.content()).not.toMatch(/postgres:\/\//);
  const session = await Session.open(db);
  await session.run(statement);
  await ada.sees("Hello from SQL");
});
