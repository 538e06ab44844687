import { expect, test } from "vitest";
import { ChatReader } from "./chat-reader.js";
import { useStage } from "./stage.js";

const stage = useStage();

test("whatever comes, changes and goes, the chat shows what the database has", async () => {
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 20);
  const page = await stage.open({ parts: [{ what: "Chat", spaceId }] });
  const chat = new ChatReader(page);
  await page.locator(".sf-chat").evaluate((element) => {
    (element as HTMLElement).style.height = "3000px"; // all of them are in view
  });
  await chat.atEnd(/^message 20/);
  const stored = async () => {
    const rows = await stage.session.query(
      "select content ->> 0 as text from public.intentions where location_id = $1 order by created_at, id",
      [spaceId],
    );
    return rows.map(({ text }) => text);
  };
  const seed = Math.random();
  await stage.session.query("select setseed($1)", [seed]);
  for (let round = 0; round < 15; round++) {
    await stage.session.query(
      `delete from public.intentions where id in (
         select id from public.intentions where location_id = $1 order by random() limit 3)`,
      [spaceId],
    );
    await stage.session.query(
      `insert into public.intentions (location_id, content, created_at)
       select $1, jsonb_build_array('new ' || $2::text || '.' || n || repeat(' text', (random() * 60)::int)),
         '2020-01-01 UTC'::timestamptz + random() * '2 h'::interval
       from generate_series(1, 3) n`,
      [spaceId, round],
    );
    await stage.session.query(
      `update public.intentions set content = jsonb_build_array((content ->> 0) || ' *') where id in (
         select id from public.intentions where location_id = $1 order by random() limit 2)`,
      [spaceId],
    );
  }
  const expected = await stored();
  await expect.poll(() => chat.texts(), { timeout: 15_000, message: `seed ${seed}` }).toEqual(expected);
});

test("the first messages may go, until none is left", async () => {
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 30);
  const page = await stage.open({ parts: [{ what: "Chat", spaceId }] });
  const chat = new ChatReader(page);
  await chat.atEnd(/^message 30/);
  for (let first = 1; first <= 29; first += 4) {
    await stage.session.query(
      `delete from public.intentions where id in (
         select id from public.intentions where location_id = $1 order by created_at limit 4)`,
      [spaceId],
    );
    if (first < 29) await chat.atEnd(/^message 30/);
  }
  await expect.poll(() => chat.texts()).toEqual([]);
  await page.getByText("The conversation begins here.").waitFor();
});

test("after a long absence a reader is at the new end, or knows how much is new", async () => {
  stage.browser.allow(/Failed to load resource/);
  const spaceId = await stage.newSpace();
  await stage.fill(spaceId, 90);
  const missed = `insert into public.intentions (location_id, content)
    select $1, jsonb_build_array($2 || n) from generate_series(1, 150) n`;
  const page = await stage.open({ parts: [{ what: "Chat", spaceId }] });
  const chat = new ChatReader(page);
  await chat.atEnd(/^message 90/);
  await page.context().setOffline(true);
  await stage.session.query(missed, [spaceId, "missed "]);
  await page.context().setOffline(false);
  await chat.atEnd("missed 150");

  await chat.leaveEnd(600);
  await page.context().setOffline(true);
  await stage.session.query(missed, [spaceId, "missed again "]);
  await page.context().setOffline(false);
  await expect
    .poll(() => chat.newMessages.textContent(), { timeout: 20_000 })
    .toMatch(/^1\d\d new messages$/);
  await chat.newMessages.click();
  await chat.atEnd("missed again 150");
});
