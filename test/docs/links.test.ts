import { existsSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";
import { PAGES, ROOT, read } from "./blocks.js";

const inDocs = readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`);

interface Link {
  from: string;
  to: string;
  anchor: string | undefined;
}

/** The links of a page to files of the repository. */
function linksOf(page: string): Link[] {
  const text = read(page).replace(/^```.*?^```/gms, "");
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target as string)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [path, anchor] = target.split("#");
      return { from: page, to: path ? normalize(join(dirname(page), path)) : page, anchor };
    });
}

/** The anchors that GitHub makes of a page's headings. */
function anchorsOf(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    (heading as string)
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

const links = PAGES.flatMap(linksOf);

test("the README ends: it has at most 150 lines", () => {
  expect(read("README.md").trimEnd().split("\n").length).toBeLessThanOrEqual(150);
});

test("every link in the README and in docs/ leads to something", () => {
  expect(links.length).toBeGreaterThan(30);
  const dead = links.filter(
    ({ to, anchor }) =>
      !existsSync(join(ROOT, to)) || (anchor !== undefined && !anchorsOf(to).includes(anchor)),
  );
  expect(dead).toEqual([]);
});

test("every page in docs/ is linked from the README, and every picture from a page", () => {
  const linked = (file: string) =>
    links.some(({ from, to }) => to === file && (from === "README.md" || !file.endsWith(".md")));
  expect(inDocs.length).toBeGreaterThan(10);
  expect(inDocs.filter((file) => !linked(file))).toEqual([]);
});
