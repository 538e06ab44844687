/** The report: where it was measured, then a table for each section {title, head, rows, notes}. */
export function markdown(where, sections) {
  const about = [
    `Measured on ${where}.`,
    "Each figure is the median of the runs, with the lowest and the highest in brackets. Ratios are of what was",
    "measured side by side in one run; times are those of this machine.",
  ];
  return `## Benchmark\n\n${about.join("\n")}\n\n${sections.map(section).join("\n")}`;
}

function section({ title, head, rows, notes = [] }) {
  const lines = [head, head.map((_, column) => (column === 0 ? "---" : "---:")), ...rows];
  const table = lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  const list = notes.map((note) => `- ${note}\n`).join("");
  return `### ${title}\n\n${table}\n${list && `\n${list}`}`;
}
