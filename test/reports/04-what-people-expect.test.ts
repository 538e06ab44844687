import { fileURLToPath } from "node:url";
import { Linter } from "eslint";
import baseline from "eslint-plugin-baseline-js";
import { build } from "vite";
import { describe, expect, test, vi } from "vitest";
import { useBrowser } from "../support/browser/browser.js";
import { Conversation } from "../support/browser/conversation.js";
import { useSite } from "../support/browser/site.js";
import { SpacePage, settled } from "../support/browser/space-page.js";
import { useDatabase } from "../support/postgres/database.js";
import { useRelay } from "../support/relay/relay.js";

vi.setConfig({ testTimeout: 60_000 });
const db = useDatabase();
const relay = useRelay(db);
const site = useSite({ entry: new URL("../browser/pages/space.ts", import.meta.url), relay });
const browser = useBrowser();

/** What all browsers had at the end of this year, and docs/client.md promises those of the autumn after it. */
const YEAR = 2022;

/** What of a script is younger than that, by the table of the Web Platform's "Baseline". */
function tooYoung(script: string): string[] {
  const features = { preset: "auto" };
  const found = new Linter().verify(script, {
    plugins: { "baseline-js": { rules: baseline.rules } },
    rules: {
      "baseline-js/use-baseline": [
        "error",
        { available: YEAR, includeWebApis: features, includeJsBuiltins: features },
      ],
    },
  });
  return found.map(({ message }) => message);
}

/** As a page's own build would make it, with the libraries that it needs. */
async function bundled(entry: string, external: RegExp[] = []): Promise<string> {
  const input = fileURLToPath(new URL(`../../src/${entry}`, import.meta.url));
  const result = await build({
    configFile: false,
    envDir: false,
    logLevel: "warn",
    publicDir: false,
    build: {
      write: false,
      minify: false,
      target: "es2022",
      modulePreload: false,
      rolldownOptions: { input, external, preserveEntrySignatures: "strict" },
    },
  });
  const outputs = [result].flat().flatMap((one) => ("output" in one ? one.output : []));
  return outputs.map((chunk) => (chunk.type === "chunk" ? chunk.code : "")).join("\n");
}

describe("browsers of three years ago have all that a page asks of them", () => {
  test.for([
    ["spacefeed", "client/index.ts", "navigator.locks.request("],
    ["spacefeed/react", "react/index.ts", "sf-name-button"],
  ] as const)("nothing in the bundle of %s is younger", async ([, entry, within]) => {
    const script = await bundled(entry, [/^react(-dom)?(\/|$)/]);
    expect(script.includes(within)).toBe(true);
    expect(tooYoung(script)).toEqual([]);
  });

  test("what is younger would be found", () => {
    const young = [
      "URL.canParse('x')",
      "AbortSignal.any([])",
      "AbortSignal.timeout(1)",
      "Promise.withResolvers()",
    ];
    for (const script of young) expect(tooYoung(script)).toHaveLength(1);
    expect(tooYoung("new AbortController().abort(); structuredClone(1); [1].at(-1)")).toEqual([]);
  });
});

test("a page without the functions that older browsers lack writes, refreshes and loads older messages", async () => {
  const conversation = await Conversation.begin(db);
  await conversation.session.query(
    `insert into intentions (location_id, content)
     select $1, jsonb_build_array('message ' || n) from generate_series(1, 120) n`,
    [conversation.spaceId],
  );
  const context = await browser.newContext();
  await context.addInitScript(() => {
    const younger: [object, string[]][] = [
      [URL, ["canParse", "parse"]],
      [AbortSignal, ["any", "timeout"]],
      [Crypto.prototype, ["randomUUID"]],
      [Promise, ["withResolvers", "try"]],
      [Array, ["fromAsync"]],
      [Array.prototype, ["toSorted", "toReversed", "toSpliced", "with", "findLast", "findLastIndex"]],
      [Object, ["groupBy"]],
      [Map, ["groupBy"]],
      [Set.prototype, ["union", "difference", "intersection", "isSubsetOf"]],
      [ReadableStream.prototype, [Symbol.asyncIterator as unknown as string, "values"]],
      [globalThis, ["scheduler", "requestIdleCallback", "Iterator"]],
    ];
    for (const [owner, names] of younger) {
      for (const name of names) {
        if (!Reflect.deleteProperty(owner, name)) throw new Error(`${String(name)} stays`);
      }
    }
  });
  const options = { spaceId: conversation.spaceId, persist: true };
  const tab = await SpacePage.open(context, site.current.url, options);
  await tab.reaches("realtime");
  await tab.say("hello");
  await tab.page.evaluate(() => globalThis.spacePage.client.refresh());
  await tab.page.evaluate(() => globalThis.spacePage.loadAll());
  await settled(conversation, tab);
  expect((await tab.view()).error).toBeNull();

  // And where streams do not get through.
  await context.route("**/api/stream?*", (route) => route.fulfill({ status: 204 }));
  const other = await SpacePage.open(context, site.current.url, { ...options, tabs: false });
  await expect.poll(async () => (await other.view()).mode).toBe("polling");
  await other.say("hello again");
  await settled(conversation, tab);
  await expect.poll(async () => (await other.view()).texts.at(-1)).toBe("hello again");
});
