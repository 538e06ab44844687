import { BeingPresence, Chat, InlineBeingName } from "spacefeed/react";
import { Line } from "./line";

export default function Page() {
  return (
    <main>
      <h1>
        <InlineBeingName spaceId="hall" beingId="hall" />
      </h1>
      <Line />
      <BeingPresence spaceId="hall" />
      <Chat spaceId="hall" />
    </main>
  );
}
