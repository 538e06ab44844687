import { expect, test, vi } from "vitest";
import { useBrowser } from "../support/browser/browser.js";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { useDemo, Visitor } from "./demo.js";

vi.setConfig({ testTimeout: 60_000 });
const db = useDatabase();
const demo = useDemo(db);
const browser = useBrowser();
const come = () => Visitor.come(browser, demo.current.url);

test("two visitors chat, each from a browser of his own", async () => {
  const [ada, bob] = await Promise.all([come(), come()]);
  await ada.rename("Ada");
  await bob.rename("Bob");
  await ada.say("Good morning");
  await bob.sees("Good morning");
  await bob.say("I am, Ada.");
  await ada.sees("I am, Ada.");
  const owner = bob.page.locator(".sf-message", { hasText: "Good morning" }).first();
  await expect.poll(() => owner.locator(".sf-message-owner").textContent()).toBe("Ada");
  expect((await ada.messages()).find(({ text }) => text === "Good morning")?.isOwn).toBe(true);
  expect((await bob.messages()).find(({ text }) => text === "Good morning")?.isOwn).toBe(false);
  for (const visitor of [ada, bob]) {
    expect(await visitor.people()).toEqual(expect.arrayContaining(["Pip", "Ada", "Bob"]));
  }
});

test("the bot answers, and its answer is seen growing until it is whole", async () => {
  const [ada, bob] = await Promise.all([come(), come()]);
  await bob.page.evaluate(() => {
    const lengths: number[] = [];
    Object.assign(globalThis, { lengths });
    new MutationObserver(() => {
      // The answer to another may grow at the same time.
      const growing = [...document.querySelectorAll('.sf-message[data-state="active"] .said')]
        .map((said) => said.textContent ?? "")
        .find((text) => text !== "" && "Say anything".startsWith(text.slice(0, 12)));
      if (growing) lengths.push(growing.length);
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await ada.say("help");
  const text = await bob.sees(/^Say anything, and I tell you/);
  const lengths = [
    ...new Set(await bob.page.evaluate(() => (globalThis as unknown as { lengths: number[] }).lengths)),
  ];
  expect(lengths.length).toBeGreaterThan(5);
  expect(lengths).toEqual(lengths.toSorted((a, b) => a - b));
  expect(lengths.at(-1)).toBeLessThanOrEqual(text.length);
  expect(text).toMatch(/count.*who.*time.*long/s);
  await ada.sees(text);
});

test("the answer names the message ID and the name of who asks", async () => {
  const ada = await come();
  await ada.rename("Grace");
  const session = await Session.open(db);
  for (let n = 0; n < 5; n++) {
    await ada.say(`A remark of Grace, number ${n}`);
    const messageId = () =>
      session.value("select message_id from intentions where content->>0 = $1", [
        `A remark of Grace, number ${n}`,
      ]);
    await expect.poll(messageId).toMatch(/^msg_\d+$/);
    const replies = () =>
      session.query("select content->>0 as text, state from intentions where id = $1", [
        `pip-lobby-re-${id}`,
      ]);
    const id = (await messageId()) as string;
    await expect.poll(replies).toMatchObject([{ state: "complete" }]);
    const [{ text } = {}] = await replies();
    if (!/your message is/.test(text as string)) continue;
    expect(text).toContain(`Grace, your message is ${id}, and the space is now at version`);
    return;
  }
  throw new Error("five remarks, and none of them about the message");
});

test("the visitor goes from space to space, and the browser's back and forward do, too", async () => {
  const ada = await come();
  expect(await ada.page.title()).toBe("The lobby – Spacefeed");
  await ada.say("Said in the lobby");
  await ada.enter("Workshop");
  expect(new URL(ada.page.url()).hash).toBe("#workshop");
  await ada.isLive();
  expect(await ada.page.title()).toBe("Workshop – Spacefeed");
  expect(await ada.page.getByRole("link", { name: "Workshop" }).getAttribute("aria-current")).toBe("page");
  await ada.say("Said in the workshop");
  await ada.sees("Said in the workshop");
  expect((await ada.messages()).map(({ text }) => text)).not.toContain("Said in the lobby");
  await ada.page.goBack();
  await ada.sees("Said in the lobby");
  await ada.page.goForward();
  await ada.sees("Said in the workshop");
  const direct = await Visitor.come(browser, `${demo.current.url}/#workshop`);
  await direct.sees("Said in the workshop");
});

test("what is said in the other space is counted at its tab, until the visitor goes there", async () => {
  const ada = await come();
  const session = await Session.open(db);
  const tab = ada.page.getByRole("link", { name: "Workshop" });
  await ada.enter("Workshop");
  await ada.isLive();
  await ada.enter("The lobby");
  await ada.isLive();
  expect(await tab.textContent()).toBe("Workshop");
  await session.run(
    `insert into intentions (location_id, content, state) values ('workshop', '["One"]', 'paused')`,
    `insert into intentions (location_id, content, state) values ('workshop', '["Two"]', 'paused')`,
  );
  await expect.poll(() => tab.textContent()).toBe("Workshop2 new");
  await tab.click();
  await expect.poll(() => tab.textContent()).toBe("Workshop");
  await ada.enter("The lobby");
  await ada.isLive();
  expect(await tab.textContent()).toBe("Workshop");
});

test("a name is the visitor's own, shows everywhere, and goes along to the other space", async () => {
  const [ada, bob] = await Promise.all([come(), come()]);
  const first = await ada.name();
  expect(first).toMatch(/^[A-Z][a-z]+ [A-Z][a-z]+$/);
  await ada.enter("Workshop");
  await ada.isLive();
  expect(await ada.name()).toBe(first);
  await ada.rename("Ada Lovelace");
  await ada.enter("The lobby");
  await expect.poll(() => ada.name()).toBe("Ada Lovelace");
  await expect.poll(() => bob.people()).toContain("Ada Lovelace");
  expect(await bob.people()).not.toContain(first);
  await ada.page.reload();
  await ada.isLive();
  expect(await ada.name()).toBe("Ada Lovelace");
  const people = await ada.people();
  expect(people.filter((name) => name === "Ada Lovelace")).toHaveLength(1);
});

test("a space that is renamed with SQL has its new name at its tab", async () => {
  const ada = await come();
  const session = await Session.open(db);
  await session.run("update beings set name = 'The smithy' where id = 'workshop'");
  await ada.page.getByRole("link", { name: "The smithy" }).waitFor();
  await session.run("update beings set name = 'Workshop' where id = 'workshop'");
  await ada.page.getByRole("link", { name: "Workshop" }).waitFor();
});
