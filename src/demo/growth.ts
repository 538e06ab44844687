import type { Intention, SpaceClient } from "../client/index.js";

/** 20 times a second. */
const TICK_MS = 50;
const PIECE = 4;
/** For as long the message is there and empty: as if somebody thought before they write. */
const PAUSE_MS = 500;

/** How often a message is written until it has grown to this text, and is complete. */
export function updatesOf(text: string): number {
  return Math.ceil([...text].length / PIECE) + 1;
}

/**
 * Creates a message of state `active` and updates it with ever longer content, as a language model's answer would, until
 * it is complete or somebody stops it: makes it anything but active. An update of the content leaves the state as it is,
 * and its answer tells it. Waits for each update: when the database is slow, the message grows slower.
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
  for (let length = PIECE; !signal.aborted && isActive(client.getIntention(id)); length += PIECE) {
    const tick = pause(TICK_MS);
    const content = [characters.slice(0, length).join("")];
    const stored = await client.updateIntention(id, { content });
    if (!isActive(stored)) return;
    if (length >= characters.length) {
      await client.updateIntention(id, { state: "complete" });
      return;
    }
    await tick;
  }
}

/** What is not known is not stopped. */
function isActive(message: Intention | undefined): boolean {
  return message === undefined || message.state === "active";
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
