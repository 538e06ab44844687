import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { ChatReader } from "./chat-reader.js";
import { hold } from "./gate.js";
import { show, useStage } from "./stage.js";

const stage = useStage();

/** The groups of a chat: who, and what is said. */
const groups = (page: Page) =>
  page.locator(".sf-message").evaluateAll((messages) => {
    const found: string[][] = [];
    for (const message of messages) {
      const owner = message.querySelector(".sf-message-owner")?.textContent;
      if (owner) found.push([owner]);
      found.at(-1)?.push(message.querySelector(".sf-message-content")?.textContent ?? "");
    }
    return found;
  });

test("messages of one owner stand together, until another one speaks or five minutes pass", async () => {
  const spaceId = await stage.newSpace();
  const ada = await stage.join(spaceId, "Ada");
  const bob = await stage.join(spaceId, "Bob");
  await stage.say(spaceId, "a1", { ownerId: ada, at: 0 });
  await stage.say(spaceId, "a2", { ownerId: ada, at: 299 });
  await stage.say(spaceId, "a3", { ownerId: ada, at: 599 });
  await stage.say(spaceId, "a4", { ownerId: ada, at: 900 });
  await stage.say(spaceId, "b1", { ownerId: bob, at: 901 });
  await stage.say(spaceId, "a5", { ownerId: ada, at: 902 });
  await stage.say(spaceId, "n1", { at: 903 });
  await stage.say(spaceId, "n2", { at: 904 });
  await stage.say(spaceId, "x1", { ownerId: "a stranger", at: 905 });
  const page = await stage.open({ parts: [{ what: "Chat", spaceId }] });
  await expect
    .poll(() => groups(page))
    .toEqual([
      ["Ada", "a1", "a2", "a3"],
      ["Ada", "a4"],
      ["Bob", "b1"],
      ["Ada", "a5"],
      ["Somebody", "n1", "n2"],
      ["Somebody", "x1"],
    ]);
  // The one in the middle goes: what stood apart stands together.
  await stage.session.query("delete from public.intentions where location_id = $1 and owner_id = $2", [
    spaceId,
    bob,
  ]);
  await expect.poll(async () => (await groups(page))[1]).toEqual(["Ada", "a4", "a5"]);
});

test("groups are right across the pages in which messages are loaded", async () => {
  const spaceId = await stage.newSpace();
  const ada = await stage.join(spaceId, "Ada");
  await stage.session.query(
    `insert into public.intentions (location_id, owner_id, content, created_at)
     select $1, $2, jsonb_build_array('no ' || n), '2020-01-01'::timestamptz + n * '1 s'::interval
     from generate_series(1, 210) n`,
    [spaceId, ada],
  );
  const page = await stage.open({ parts: [{ what: "Chat", spaceId }] });
  const chat = new ChatReader(page);
  await chat.atEnd("no 210");
  expect(await page.locator(".sf-message-owner").count()).toBe(0);
  const firsts = new Set<string>();
  const noteFirsts = async () => {
    const found = page.locator(".sf-message[data-first] .sf-message-content");
    for (const text of await found.allTextContents()) firsts.add(text);
    return [...firsts];
  };
  await chat.goUpUntil(
    async () => (await noteFirsts()).length > 0 || (await chat.placeOf(/^no 1$/)) !== null,
  );
  await expect.poll(noteFirsts).toEqual(["no 1"]);
});

test("an owner of another space is known by the name that the page has seen", async () => {
  const [spaceId, elsewhere] = [await stage.newSpace(), await stage.newSpace()];
  const ada = await stage.join(elsewhere, "Ada");
  await stage.say(spaceId, "from elsewhere", { ownerId: ada });
  const page = await stage.open({ parts: [{ what: "BeingPresence", spaceId: elsewhere }] });
  await page.getByText("Ada").waitFor();
  await show(page, {
    parts: [
      { what: "BeingPresence", spaceId: elsewhere },
      { what: "Chat", spaceId },
    ],
  });
  await expect.poll(() => groups(page)).toEqual([["Ada", "from elsewhere"]]);
});

test("a time of today is short, an older one has its date, and both are readable by machines", async () => {
  const spaceId = await stage.newSpace();
  await stage.say(spaceId, "long ago", { at: 0 });
  await stage.say(spaceId, "now");
  const page = await stage.open({ parts: [{ what: "Chat", spaceId }] });
  const times = page.locator("time.sf-message-time");
  await expect.poll(() => times.count()).toBe(2);
  expect(await times.first().getAttribute("datetime")).toMatch(/^2020-01-01T00:00:00/);
  expect(await times.first().textContent()).toMatch(/20/);
  expect(await times.last().textContent()).toMatch(/^\d{1,2}:\d\d( [AP]M)?$/u);
});

test("own messages are marked, and so are those that wait, grow, have failed or are errors", async () => {
  const spaceId = await stage.newSpace();
  const [ada, bob] = [await stage.join(spaceId, "Ada"), await stage.join(spaceId, "Bob")];
  await stage.say(spaceId, "of another", { ownerId: bob });
  await stage.say(spaceId, "growing", { ownerId: bob, state: "active" });
  await stage.say(spaceId, "failed", { ownerId: bob, state: "failed" });
  await stage.say(spaceId, "error", { ownerId: bob, type: "error" });
  const page = await stage.open({ parts: [{ what: "Chat", spaceId, ownerId: ada }] });
  const chat = new ChatReader(page);
  await chat.atEnd("error");
  const marks = (text: string) =>
    chat.message(text).evaluate((element) => {
      const { own, pending, state, type } = (element as HTMLElement).dataset;
      const status = element.querySelector(".sf-message-status")?.textContent;
      return { own, pending, state, type, status, busy: element.getAttribute("aria-busy") };
    });
  const plain = { state: "complete", type: "utterance", busy: "false" };
  expect(await marks("of another")).toEqual(plain);
  expect(await marks("growing")).toEqual({ ...plain, state: "active", status: "Writing …" });
  expect(await marks("failed")).toEqual({ ...plain, state: "failed", status: "Failed" });
  expect(await marks("error")).toEqual({ ...plain, type: "error", status: "Error" });

  const gate = await hold(page, "intentions", "create");
  await chat.field.fill("mine");
  await chat.field.press("Enter");
  await gate.untilAsked(1);
  expect(await marks("mine")).toEqual({
    ...plain,
    own: "true",
    pending: "true",
    busy: "true",
    status: "Sending …",
  });
  gate.open();
  await expect.poll(() => marks("mine")).toEqual({ ...plain, own: "true" });
});

test("content is text, objects with a text, and anything else as JSON; line breaks are kept", async () => {
  const spaceId = await stage.newSpace();
  await stage.session.query(
    `insert into public.intentions (location_id, content)
     values ($1, '["two\\nlines", {"type": "text", "text": "of an object"}, {"image": "cat"}, 42, null]')`,
    [spaceId],
  );
  const page = await stage.open({ parts: [{ what: "Chat", spaceId }] });
  const parts = page.locator(".sf-message-part");
  await expect
    .poll(() => parts.allTextContents())
    .toEqual(["two\nlines", "of an object", '{"image":"cat"}', "42", "null"]);
  expect(await parts.first().evaluate((part) => part.getBoundingClientRect().height)).toBeGreaterThanOrEqual(
    40,
  );
});

test("markup in a message or a name is text", async () => {
  const spaceId = await stage.newSpace();
  const markup = "<img src=x onerror=\"document.title = 'broken in'\">";
  const ada = await stage.join(spaceId, markup);
  await stage.say(spaceId, markup, { ownerId: ada });
  const page = await stage.open({
    parts: [
      { what: "Chat", spaceId },
      { what: "BeingPresence", spaceId },
    ],
  });
  await expect.poll(() => groups(page)).toEqual([[markup, markup]]);
  expect(await page.title()).not.toBe("broken in");
});

test("an empty message and an empty space do no harm", async () => {
  const spaceId = await stage.newSpace();
  const page = await stage.open({ parts: [{ what: "Chat", spaceId }] });
  await page.getByText("The conversation begins here.").waitFor();
  await stage.session.query("insert into public.intentions (id, location_id) values ($1, $2), ($3, $2)", [
    `${spaceId} empty`,
    spaceId,
    `${spaceId} as empty`,
  ]);
  await expect.poll(() => page.locator(".sf-message").count()).toBe(2);
  await stage.session.query("delete from public.intentions where location_id = $1", [spaceId]);
  await expect.poll(() => page.locator(".sf-message").count()).toBe(0);
  await stage.say(spaceId, "again");
  await new ChatReader(page).atEnd("again");
});

test("a space that there is not says so", async () => {
  stage.browser.allow(/Failed to load resource.*404/);
  const page = await stage.open({ parts: [{ what: "Chat", spaceId: "no such space" }] });
  await expect.poll(() => page.locator(".sf-chat-waiting").textContent()).toMatch(/no such space/);
});
