import type { Intention } from "../client/index.js";

/** The texts in a message's content. */
export function plainText({ content }: Pick<Intention, "content">): string {
  return content
    .map((part) => (typeof part === "string" ? part : ""))
    .join(" ")
    .trim();
}

export function words(text: string): string[] {
  return text.match(/[\p{L}\p{N}][\p{L}\p{N}’'_-]*/gu) ?? [];
}

/** `1 message`, `2 messages`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** `a, b and 3 more`. */
export function listed(names: readonly string[], more: number): string {
  return [...names, ...(more > 0 ? [`${more} more`] : [])].join(", ");
}

/** At most this many characters of what somebody else wrote, on one line. */
export function shortened(text: string, most: number): string {
  const characters = [...text.replace(/\s+/g, " ")];
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : characters.join("");
}
