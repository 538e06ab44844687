import type { SpaceState } from "../protocol/messages.js";
import { Api } from "./api.js";
import type { SpaceClientOptions } from "./client.js";

/**
 * Reads a space once, with its newest 100 messages: on a server, for the `initialState` of a client in a page. Throws a
 * SpacefeedError, such as `not_found`, or `unavailable` when there is no answer within 10 s.
 *
 *     const state = await readSpace({ url: "http://127.0.0.1:8787", spaceId: "lobby" });
 */
export async function readSpace(
  options: Pick<SpaceClientOptions, "spaceId" | "url" | "headers" | "fetch">,
): Promise<SpaceState> {
  const { spaceId, url = "/", ...how } = options;
  const state = await new Api({ url, ...how }).state(spaceId, null);
  return state as SpaceState; // nothing is known, so that it has changed
}
