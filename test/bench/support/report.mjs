import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { svgOf } from "./plot.mjs";

/** Writes the tables with their plots as a page that needs nothing else. */
export async function writeReport(file, where, sections) {
  const parts = [];
  for (const section of sections) parts.push(await html(section));
  await writeFile(file, page(where, parts));
}

/** Writes each plot that has a `file` into the directory, and returns the paths. */
export async function writePlots(directory, sections) {
  await mkdir(directory, { recursive: true });
  const files = [];
  for (const plot of sections.flatMap(({ plots = [] }) => plots)) {
    if (!plot.file) continue;
    files.push(join(directory, `${plot.file}.svg`));
    await writeFile(files.at(-1), `${await svgOf(plot)}\n`);
  }
  return files;
}

async function html({ title, head, rows, notes = [], plots = [] }) {
  const row = (tag, cells) => `<tr>${cells.map((cell) => `<${tag}>${inline(cell)}</${tag}>`).join("")}</tr>`;
  const figures = [];
  for (const plot of plots) figures.push(`<figure>${await svgOf(plot)}</figure>`);
  return `<section><h2>${inline(title)}</h2>
<div class="wide"><table><thead>${row("th", head)}</thead><tbody>${rows.map((cells) => row("td", cells)).join("\n")}</tbody></table></div>
${figures.join("\n")}
<ul>${notes.map((note) => `<li>${inline(note)}</li>`).join("\n")}</ul></section>`;
}

/** What the cells have of Markdown. */
const inline = (text) =>
  String(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll("\\|", "|")
    .replace(/`([^`]+)`/g, "<code>$1</code>")
    .replace(/\*\*([^*]+)\*\*/g, "<strong>$1</strong>");

const page = (where, parts) => `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Spacefeed: benchmark</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; color: #0f172a; background: #fff; max-width: 1100px; margin: 2rem auto; padding: 0 1rem }
  h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin-top: 3rem }
  .wide { overflow-x: auto } table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums }
  th, td { padding: .35rem .7rem; text-align: right; border-bottom: 1px solid #e2e8f0 }
  th { color: #475569; font-weight: 600; vertical-align: bottom } th:first-child, td:first-child { text-align: left }
  td { white-space: nowrap } td:last-child { white-space: normal; min-width: 8rem }
  tbody tr:hover { background: #f8fafc } strong { color: #be123c }
  figure { margin: 1.2rem 0 } svg { max-width: 100%; height: auto } li, p { color: #475569; font-size: .9rem }
</style>
<h1>Spacefeed: benchmark</h1>
<p>Measured on ${inline(where)}. Each figure is the median of the runs, with the lowest and the highest in brackets.
Ratios are of what was measured side by side in one run.</p>
${parts.join("\n")}
</html>
`;
