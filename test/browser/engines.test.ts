// What people do with a page, in all engines at once: one room, in which each has a tab. What is of one engine only, or needs
// a closer look, has a file of its own.
import { afterEach, describe, expect, test, vi } from "vitest";
import { FAILED_REQUEST } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { type Engine, useEngines } from "../support/browser/engines.js";
import { useSite } from "../support/browser/site.js";
import type { PageOptions } from "../support/browser/space-page.js";
import type { Tab } from "../support/browser/tab.js";
import { useDatabase } from "../support/postgres/database.js";
import { useCommand } from "../support/process/command.js";
import { stateKept } from "../support/relay/kept.js";
import { useRelay } from "../support/relay/relay.js";
import { streamsBecome } from "../support/relay/relay-metrics.js";
import type {} from "./pages/space.js"; // what it puts on globalThis

vi.setConfig({ testTimeout: 90_000 });
const db = useDatabase();
// Rare, so that a page which the machine keeps waiting does not take its line for dead.
const relay = useRelay(db, { heartbeatMs: 10_000 });
const site = useSite({ entry: new URL("./pages/space.ts", import.meta.url), relay });
const spacefeed = useCommand();
afterEach(() => {
  site.current.relayUrl = undefined;
});
const engines = useEngines().filter(({ isHere }) => isHere);
/** What is not kept to come back to is loaded anew. */
const KEEPS_PAGES: Record<Engine["name"], boolean> = { Chromium: true, Firefox: false, WebKit: true };

const view = (tab: Tab) => tab.evaluate(() => globalThis.spacePage.view());
const onEach = <T>(tabs: readonly Tab[], act: (tab: Tab, n: number) => Promise<T>) =>
  Promise.all(tabs.map(act));

async function follow(tab: Tab, options: PageOptions): Promise<void> {
  // WebKit's driver may say that the page is there before its script has run.
  await expect.poll(() => tab.evaluate(() => "spacePage" in globalThis)).toBe(true);
  await tab.evaluate((options) => globalThis.spacePage.open(options), options);
}

/** A tab in each engine, in the order of their names, in a room that has one message. */
async function enter(options: Partial<PageOptions> = {}) {
  const conversation = await Conversation.begin(db);
  await conversation.write("before");
  const room = { spaceId: conversation.spaceId, ...options };
  const tabs = await Promise.all(engines.map(({ open }) => open()));
  await onEach(tabs, async (tab) => {
    await tab.goto(site.current.url);
    await follow(tab, room);
  });
  await agree(conversation, tabs);
  return { conversation, room, tabs };
}

/** Each tab has what the database has, nothing waits, and none was ever shown anything wrong on the way there. */
async function agree(conversation: Conversation, tabs: readonly Tab[]): Promise<void> {
  const all = { mode: "realtime", pending: [], faults: [] };
  const seen = async () =>
    (await onEach(tabs, view)).map(({ texts, mode, pending, faults }) => ({ mode, pending, faults, texts }));
  await expect
    .poll(async () => {
      const texts = await conversation.texts();
      return (await seen()).filter((one) => JSON.stringify(one) !== JSON.stringify({ ...all, texts }));
    })
    .toEqual([]);
}

const reach = (tabs: readonly Tab[], modes: RegExp) =>
  expect.poll(async () => (await onEach(tabs, view)).map(({ mode }) => mode).join()).toMatch(modes);

const say = (tab: Tab, text: string) =>
  tab.evaluate((text) => void globalThis.spacePage.say(text).catch(() => {}), text);

describe(`in one room: ${engines.map(({ name }) => name).join(", ")}`, () => {
  test("what one says, the others see, in one order", async () => {
    const { conversation, tabs } = await enter();
    await onEach(tabs, (tab, n) => say(tab, `from ${engines[n]?.name}`));
    await expect.poll(() => conversation.texts()).toHaveLength(1 + tabs.length);
    await agree(conversation, tabs);
  });

  test("two tabs of a browser share a stream, and hand it on; two browsers share nothing", async () => {
    const { conversation, room, tabs } = await enter();
    const others = await onEach(tabs, async (tab) => {
      const other = await tab.another();
      await other.goto(site.current.url);
      await follow(other, room);
      return other;
    });
    await agree(conversation, [...tabs, ...others]);
    await streamsBecome(relay.current, engines.length);
    await onEach(tabs, (tab) => tab.evaluate(() => localStorage.setItem("kept", "yes")));
    const kept = await onEach(others, (tab) => tab.evaluate(() => localStorage.getItem("kept")));
    expect(kept).toEqual(others.map(() => "yes"));
    await onEach(tabs, (tab) => tab.close());
    await conversation.write("after the first tab has gone");
    await agree(conversation, others);
    await streamsBecome(relay.current, engines.length);
    const [fresh] = await Promise.all(engines.slice(0, 1).map(({ open }) => open()));
    await fresh?.goto(site.current.url);
    expect(await fresh?.evaluate(() => localStorage.getItem("kept"))).toBeNull();
  });

  test("P3: the relay stops, goes on, is killed and comes back: nobody misses anything", async () => {
    for (const { allow } of engines) allow(FAILED_REQUEST);
    const serve = async (PORT: string) => {
      const command = spacefeed(["serve"], { DATABASE_URL: db.url, PORT, LOG_LEVEL: "silent" });
      const [, url] = await command.until("stdout", /Spacefeed is at (\S+)/);
      site.current.relayUrl = url;
      return { command, port: new URL(url as string).port };
    };
    const first = await serve("0");
    const { conversation, tabs } = await enter();
    first.command.child.kill("SIGSTOP");
    await conversation.write("while it was stopped");
    await reach(tabs, /^((polling|cache),?)+$/);
    await onEach(tabs, (tab, n) => say(tab, `${engines[n]?.name}, while it was stopped`));
    first.command.child.kill("SIGCONT");
    await expect.poll(() => conversation.texts()).toHaveLength(2 + tabs.length);
    await agree(conversation, tabs);

    first.command.child.kill("SIGKILL");
    await first.command.end;
    await reach(tabs, /^(cache,?)+$/);
    await conversation.write("while it was away");
    await onEach(tabs, (tab, n) => say(tab, `${engines[n]?.name}, while it was away`));
    const { command } = await serve(first.port);
    await expect.poll(() => conversation.texts()).toHaveLength(3 + 2 * tabs.length);
    await agree(conversation, tabs);
    command.child.kill("SIGTERM");
    await command.end;
  });

  test("without a network a page is loaded with what was known, and what waits is sent later", async () => {
    for (const { allow } of engines) allow(FAILED_REQUEST);
    const { conversation, room, tabs } = await enter({ persist: true });
    for (const page of tabs) await stateKept({ page }, conversation);
    site.current.relayUrl = "http://127.0.0.1:1";
    await onEach(tabs, (tab, n) => say(tab, `${engines[n]?.name}, before a reload`));
    await onEach(tabs, async (tab, n) => {
      const own = `${engines[n]?.name}, before a reload`;
      await expect.poll(() => view(tab).then(({ pending }) => pending)).toEqual([own]);
      await tab.reload();
      await follow(tab, room);
      await expect.poll(() => view(tab).then(({ texts }) => texts)).toEqual(["before", own]);
    });
    site.current.relayUrl = undefined;
    await expect.poll(() => conversation.texts()).toHaveLength(1 + tabs.length);
    await agree(conversation, tabs);
  });

  test("who leaves the page and comes back with the browser's button sees all", async () => {
    const { conversation, room, tabs } = await enter({ persist: true });
    await onEach(tabs, async (tab) => {
      await tab.evaluate(() => {
        document.title = "as it was";
      });
      await tab.goto(`${site.current.url}/elsewhere`);
    });
    await conversation.write("meanwhile");
    await onEach(tabs, async (tab, n) => {
      const isKept = KEEPS_PAGES[engines[n]?.name as Engine["name"]];
      await tab.back();
      await expect.poll(() => tab.evaluate(() => location.pathname)).toBe("/");
      expect(await tab.evaluate(() => document.title === "as it was"), engines[n]?.name).toBe(isKept);
      if (!isKept) await follow(tab, room);
    });
    await agree(conversation, tabs);
    await onEach(tabs, (tab, n) => say(tab, `${engines[n]?.name} is back`));
    await expect.poll(() => conversation.texts()).toHaveLength(2 + tabs.length);
    await agree(conversation, tabs);
  });

  test("what a page complains of is collected, but in WebKit", async () => {
    const { tabs } = await enter();
    await onEach(tabs, (tab) =>
      tab.evaluate(() => {
        console.error("a bad sign");
        setTimeout(() => Promise.reject(new Error("nobody handles this")));
        setTimeout(() => {
          throw new Error("nobody catches this");
        });
      }),
    );
    for (const { name, complaints, allow } of engines) {
      const expected =
        name === "WebKit" ? [] : ["error: a bad sign", "nobody handles this", "nobody catches this"];
      const parts = expected.map((text) => expect.stringContaining(text));
      await expect.poll(complaints).toEqual(expect.arrayContaining(parts));
      allow(/a bad sign/, /nobody/);
    }
  });
});
