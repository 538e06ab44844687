import { useState } from "react";

/** Virtuoso wants positive numbers; nobody scrolls through more messages than this. */
const START = 10_000_000;

/**
 * The number of the first ID, chosen so that an ID keeps its number while others come and go before it. By
 * that Virtuoso knows that messages were put before those that it shows, and keeps the reader in place.
 */
export function useFirstIndex(ids: readonly string[]): number {
  const [before, setBefore] = useState({ ids, first: START });
  if (before.ids === ids) return before.first;
  const first = before.first + shift(before.ids, ids);
  // While rendering: the number and the IDs must come together.
  setBefore({ ids, first });
  return first;
}

/** How many IDs went from before the first one that stayed, less those that came there. */
function shift(before: readonly string[], now: readonly string[]): number {
  const places = new Map(now.map((id, index) => [id, index]));
  for (const [index, id] of before.entries()) {
    const place = places.get(id);
    if (place !== undefined) return index - place;
  }
  return 0;
}
