import { readSpace } from "spacefeed";
import { BeingPresence, Chat, HydrateSpace, InlineBeingName } from "spacefeed/react";
import { Line } from "../line";

/** As the page before it, with what is in the space: a server component reads it. */
export default async function Page() {
  const url = process.env.RELAY_URL ?? "http://127.0.0.1:8787";
  const state = await readSpace({ url, spaceId: "hall" }).catch(() => null);
  return (
    <HydrateSpace state={state}>
      <h1>
        <InlineBeingName spaceId="hall" beingId="hall" />
      </h1>
      <Line />
      <BeingPresence spaceId="hall" />
      <Chat spaceId="hall" />
    </HydrateSpace>
  );
}
