import stringWidth from "string-width";
import { oneLine } from "./printable.js";

/** Lines with their columns one below the other, the first line a heading. Numbers are at the right of their column. */
export function tableOf(heading: string[], rows: (string | number)[][]): string {
  const texts = [heading, ...rows].map((row) => row.map((cell) => oneLine(String(cell))));
  const widths = heading.map((_, column) => Math.max(...texts.map((row) => stringWidth(row[column] ?? ""))));
  const isNumber = (column: number) => texts.slice(1).every((row) => /^\d+(\.\d+)?$/.test(row[column] ?? ""));
  const lines = texts.map((row) =>
    row
      .map((text, column) => {
        const space = " ".repeat((widths[column] ?? 0) - stringWidth(text));
        return isNumber(column) ? space + text : text + space;
      })
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}
