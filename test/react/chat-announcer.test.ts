import { expect, test } from "vitest";
import { ChatReader } from "./chat-reader.js";
import { useStage } from "./stage.js";

const stage = useStage();

async function openHearing(ownerId?: string, messages = 30) {
  const spaceId = await stage.newSpace();
  const ada = await stage.join(spaceId, "Ada");
  await stage.fill(spaceId, messages);
  const part = { what: "Chat" as const, spaceId, ...(ownerId !== undefined && { ownerId }) };
  const page = await stage.open({ parts: [part] });
  const chat = new ChatReader(page);
  if (messages) await chat.atEnd(new RegExp(`^message ${messages}`));
  else await page.getByText("The conversation begins here.").waitFor();
  // All that was ever added to what is read out.
  await page.evaluate(() => {
    const said: string[] = [];
    const region = document.querySelector("[aria-live=polite]") as HTMLElement;
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) for (const node of addedNodes) said.push(node.textContent ?? "");
    }).observe(region, { childList: true, subtree: true, characterData: true });
    Object.assign(window, { said });
  });
  const said = () => page.evaluate(() => (window as unknown as { said: string[] }).said);
  return { spaceId, ada, page, chat, said };
}

test("a new message is read out once, with its owner; the same text again is read out again", async () => {
  const { spaceId, ada, said } = await openHearing();
  expect(await said()).toEqual([]);
  await stage.say(spaceId, "hello", { ownerId: ada });
  await expect.poll(said).toEqual(["Ada: hello"]);
  await stage.say(spaceId, "hello", { ownerId: ada });
  await stage.say(spaceId, "nobody's", {});
  await expect.poll(said).toEqual(["Ada: hello", "Ada: hello", "Somebody: nobody's"]);
});

test("the first message of an empty space is read out", async () => {
  const { spaceId, said } = await openHearing(undefined, 0);
  await stage.say(spaceId, "the first");
  await expect.poll(said).toEqual(["Somebody: the first"]);
});

test("a message that grows is read out when it is complete, and not at each step", async () => {
  const { spaceId, ada, chat, said } = await openHearing();
  const id = `${spaceId} answer`;
  await stage.say(spaceId, "", { id, ownerId: ada, state: "active" });
  for (let words = 1; words <= 5; words++) {
    await stage.change(id, `${"word ".repeat(words)}${words}.`);
    await chat.atEnd(`${words}.`);
  }
  expect(await said()).toEqual([]);
  await stage.change(id, "all of it", "complete");
  await expect.poll(said).toEqual(["Ada: all of it"]);
  await stage.change(id, "mended later", "complete");
  await chat.atEnd("mended later");
  expect(await said()).toEqual(["Ada: all of it"]);
});

test("a message that fails, and one of type error, say so", async () => {
  const { spaceId, ada, said } = await openHearing();
  await stage.say(spaceId, "half an ans", { id: `${spaceId} half`, ownerId: ada, state: "active" });
  await stage.change(`${spaceId} half`, "half an ans", "failed");
  await stage.say(spaceId, "out of paper", { ownerId: ada, type: "error" });
  await expect.poll(said).toEqual(["Ada: Failed half an ans", "Ada: Error out of paper"]);
});

test("own messages are not read out, and neither is the one that is being sent", async () => {
  const { spaceId, chat, said } = await openHearing("me");
  await chat.field.fill("from here");
  await chat.field.press("Enter");
  await stage.say(spaceId, "from my phone", { ownerId: "me" });
  await chat.atEnd("from my phone");
  await stage.say(spaceId, "from you", { ownerId: "you" });
  await expect.poll(said).toEqual(["Somebody: from you"]);
});

test("history is not read out, neither at the beginning nor while scrolling up", async () => {
  const { chat, said, page } = await openHearing(undefined, 250);
  await chat.goUpUntil(async () => (await chat.placeOf(/^message 1( |$)/)) !== null);
  expect(await said()).toEqual([]);
  const live = page.locator("[aria-live], [role=log], [role=status], [role=feed], [role=alert]");
  expect(await live.evaluateAll((elements) => elements.map((element) => element.className))).toEqual([
    "sf-chat-announcer",
    "sf-composer-error",
  ]);
});

test("many messages at once are only counted", async () => {
  const { spaceId, said } = await openHearing();
  await stage.session.query(
    "insert into public.intentions (location_id, content) select $1, '[\"x\"]' from generate_series(1, 20)",
    [spaceId],
  );
  await expect.poll(said).toEqual(["20 new messages"]);
});
