import { expect, test } from "vitest";
// @ts-expect-error: plain JavaScript
import { bundle, dist } from "../bench/support/bundle.mjs";

/** What the devtools are made of, and nothing else. */
const TRACES = /spacefeed-devtools|Cut the line|replaceSync/;
const EXTERNAL = [/^react(-dom)?(\/|$)/];
const built = async (entry: string): Promise<string> =>
  (await bundle(entry, EXTERNAL)).map(({ code }: { code: string }) => code).join();

test("a page that does not import the devtools has nothing of them", async () => {
  const code = await built(
    `export * from ${dist("react/index.js")}; export * from ${dist("client/index.js")}`,
  );
  expect(code).not.toMatch(TRACES);
});

test("a page that imports them has nothing of them in production, unless it asks for that", async () => {
  const entry = (name: string) =>
    `import { ${name} } from ${dist("devtools/index.js")}; export const page = () => ${name}({});`;
  const code = await built(entry("SpacefeedDevtools"));
  expect(code).not.toMatch(TRACES);
  expect(code.length).toBeLessThan(200);
  expect(await built(entry("SpacefeedDevtoolsInProduction"))).toMatch(TRACES);
});
