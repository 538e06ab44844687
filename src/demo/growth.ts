import type { SpaceClient } from "../client/index.js";

/** 20 times a second. */
const TICK_MS = 50;
const PIECE = 4;
/** For as long the message is there and empty: as if somebody thought before they write. */
const PAUSE_MS = 500;

/** How often a message is written until it has grown to this text. */
export function updatesOf(text: string): number {
  return Math.ceil([...text].length / PIECE);
}

/**
 * Creates a message of state `active` and updates it with ever longer content until it is complete, as a language
 * model's answer would. Waits for each update: when the database is slow, the message grows slower.
 */
export async function grow(
  client: SpaceClient,
  message: { id: string; ownerId: string; text: string },
  signal: AbortSignal,
): Promise<void> {
  const { id, ownerId, text } = message;
  const characters = [...text];
  await client.createIntention({ id, ownerId, state: "active", content: [] });
  await pause(PAUSE_MS);
  for (let length = PIECE; !signal.aborted; length += PIECE) {
    const tick = pause(TICK_MS);
    const isWhole = length >= characters.length;
    const content = [characters.slice(0, length).join("")];
    await client.updateIntention(id, isWhole ? { content, state: "complete" } : { content });
    if (isWhole) return;
    await tick;
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
