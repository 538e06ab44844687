import type { Relay } from "../../../src/server/relay.js";
import { post } from "./relay.js";

let made = 0;

/** A space of its own for a test, at version 1: its ID. */
export async function newSpace(relay: Relay): Promise<string> {
  const beingId = `space-${++made}`;
  const { status, body } = await post(relay, "beings", {
    action: "create",
    beingId,
    data: { type: "space" },
  });
  if (status !== 200) throw new Error(`no space: ${JSON.stringify(body)}`);
  return beingId;
}
