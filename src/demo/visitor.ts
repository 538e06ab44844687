import type { SPACES } from "./spaces.js";

/** The person who looks at this page: remembered by this browser, and a being of its own in each space. */
export interface Visitor {
  readonly key: string;
  readonly name: string;
}

const STORED = "spacefeed.visitor";
const FIRST = "Amber Bright Calm Clever Gentle Lucky Merry Nimble Quiet Rapid Silver Sunny Swift Witty".split(
  " ",
);
const SECOND = "Badger Crane Dolphin Finch Fox Hare Heron Lynx Marten Otter Puffin Robin Seal Wren".split(
  " ",
);

let current: Visitor | undefined;

/** The visitor of before, or a new one with a friendly name. */
export function recall(): Visitor {
  try {
    const { key, name } = JSON.parse(localStorage.getItem(STORED) ?? "{}") as Partial<Visitor>;
    if (key && name) return { key, name };
  } catch {
    // No storage here, or something else in it: the same visitor for as long as the page is open.
  }
  if (current) return current;
  const visitor = { key: randomKey(), name: `${oneOf(FIRST)} ${oneOf(SECOND)}` };
  remember(visitor);
  return visitor;
}

export function remember(visitor: Visitor): void {
  current = visitor;
  try {
    localStorage.setItem(STORED, JSON.stringify(visitor));
  } catch {
    // As above.
  }
}

/** The ID of the visitor's being in a space. */
export function beingOf(visitor: Visitor, spaceId: (typeof SPACES)[number]["id"]): string {
  return `guest-${visitor.key}-${spaceId}`;
}

// crypto.randomUUID is not there on a page that came over plain HTTP from another machine.
function randomKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(6))]
    .map((byte) => byte.toString(36).padStart(2, "0"))
    .join("");
}

function oneOf(words: readonly string[]): string {
  return words[Math.floor(Math.random() * words.length)] as string;
}
