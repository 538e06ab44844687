import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { useBrowser } from "../support/browser/browser.js";
import { useSite } from "../support/browser/site.js";
import { SpacePage } from "../support/browser/space-page.js";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { useCommand } from "../support/process/command.js";
import { useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db, { heartbeatMs: 10_000 });
const site = useSite({ entry: new URL("../browser/pages/space.ts", import.meta.url), relay });
const browser = useBrowser();
const session = useSession(db);
const node = useCommand([process.execPath]);

const WHOLE = /^You said: Count! 1 2 .* 99 100 $/;

test("docs/answers.md shows what the script does", async () => {
  const root = new URL("../../", import.meta.url);
  const [page, script] = await Promise.all(
    ["docs/answers.md", "examples/ai/answer.mjs"].map((file) => readFile(new URL(file, root), "utf8")),
  );
  const [, shown = ""] = /```js\n(.*?)```/s.exec(page as string) ?? [];
  const plain = (text: string) => text.replace(/\s+/g, " ").trim();
  expect(shown).toContain("updateIntention");
  expect(plain(script as string)).toContain(plain(shown));
});

/** The script in a room of its own, and what is asked there. */
async function begin(wordMs = "20") {
  const spaceId = await newSpace(relay.current);
  const start = async () => {
    const bot = node(["examples/ai/bot.mjs", relay.current.url, spaceId], { WORD_MS: wordMs });
    await bot.until("stdout", /is there/);
    return bot;
  };
  const ask = (text: string) =>
    session.query("insert into intentions (location_id, content) values ($1, jsonb_build_array($2::text))", [
      spaceId,
      text,
    ]);
  const answer = async () =>
    (
      await session.query(
        "select state, content ->> 0 as text, modified_at from intentions where owner_id = $1 order by created_at desc limit 1",
        [`ai-${spaceId}`],
      )
    )[0] as { state: string; text: string } | undefined;
  const grows = () => expect.poll(async () => (await answer())?.text ?? "").toMatch(/ 3 /);
  return { spaceId, start, ask, answer, grows };
}

test("two readers see an answer grow; one reloads in its midst, and both have all of it", async () => {
  const { spaceId, start, ask, answer, grows } = await begin();
  const bot = await start();
  const context = () => browser.newContext();
  const pages = [
    await SpacePage.open(await context(), site.current.url, { spaceId }),
    await SpacePage.open(await context(), site.current.url, { spaceId }),
  ] as const;
  for (const page of pages) await page.reaches("realtime");
  await ask("Count!");
  await grows();
  await pages[1].reload();
  const growing = (await pages[1].view()).texts.at(-1);
  expect((await answer())?.state).toBe("active");
  await bot.until("stdout", /: complete\n/);
  expect(bot.stdout).not.toContain("stopped");
  const whole = await answer();
  expect(whole).toMatchObject({ state: "complete", text: expect.stringMatching(WHOLE) });
  for (const page of pages) await page.shows(["Count!", whole?.text as string]);
  for (const page of pages) expect((await page.view()).faults).toEqual([]);
  expect(growing?.length ?? 0).toBeLessThan(whole?.text.length as number);
  // A hundred words in far fewer updates.
  expect(
    await session.value("select version::int from sync.spaces where space_id = $1", [spaceId]),
  ).toBeLessThan(90);
  bot.child.kill();
});

test("a reader stops it: the model is stopped, the message stays cancelled, and the next question has an answer", async () => {
  const { spaceId, start, ask, answer, grows } = await begin();
  const bot = await start();
  await ask("Count!");
  await grows();
  await session.query(
    "update intentions set state = 'cancelled' where location_id = $1 and state = 'active'",
    [spaceId],
  );
  await bot.until("stdout", /the model was stopped\n.*: cancelled\n/s);
  expect((await answer())?.text).not.toMatch(WHOLE);
  await ask("Count!");
  await bot.until("stdout", /: complete\n/);
  const states = await session.query("select state from intentions where owner_id = $1 order by created_at", [
    `ai-${spaceId}`,
  ]);
  expect(states).toEqual([{ state: "cancelled" }, { state: "complete" }]);
  bot.child.kill();
});

test("a script that dies leaves its answer growing: the next one marks it as failed, and answers what is asked then", async () => {
  const { start, ask, answer, grows } = await begin();
  const first = await start();
  await ask("Count!");
  await grows();
  first.child.kill("SIGKILL");
  await first.end;
  expect((await answer())?.state).toBe("active");
  const second = await start();
  expect((await answer())?.state).toBe("failed");
  await ask("Count!");
  await second.until("stdout", /: complete\n/);
  expect(await answer()).toMatchObject({ state: "complete", text: expect.stringMatching(WHOLE) });
  second.child.kill();
});

test("a model that fails marks its message as failed, and the script goes on", async () => {
  const { start, ask, answer } = await begin("0");
  const bot = await start();
  await ask("fail");
  await bot.until("stdout", /: failed\n/);
  expect(bot.stderr).toMatch(/the model has no more to say/);
  expect((await answer())?.state).toBe("failed");
  await ask("Count!");
  await bot.until("stdout", /: complete\n/);
  bot.child.kill();
});

test("what a model says to its end while an update is on its way is written, too", async () => {
  const { spaceId, start, ask, answer, grows } = await begin("5");
  const bot = await start();
  await ask("Count!");
  await grows();
  await session.run("begin", `select from intentions where owner_id = 'ai-${spaceId}' for update`);
  await setTimeout(1_500); // a longer time than it takes to count
  await session.run("commit");
  await bot.until("stdout", /: complete\n/);
  expect(await answer()).toMatchObject({ state: "complete", text: expect.stringMatching(WHOLE) });
  bot.child.kill();
});
