import type { Being, Mode } from "spacefeed";
import { SpacefeedDevtools } from "spacefeed/devtools";
import { BeingPresence, Chat, InlineBeingName, SpacefeedProvider, useSpaceData } from "spacefeed/react";
import { Tasks } from "./tasks.js";
import "./chat.css";

const SPACE = "hall";

export function App() {
  return (
    <SpacefeedProvider persist>
      <Space />
      <SpacefeedDevtools />
    </SpacefeedProvider>
  );
}

function Space() {
  const { beings, connected, error, fault, mode, utterances } = useSpaceData(SPACE);
  const [space]: Being[] = beings.filter(({ id }) => id === SPACE);
  const line: Mode = mode;
  return (
    <main>
      <h1>{space && <InlineBeingName spaceId={SPACE} beingId={SPACE} />}</h1>
      <p>mode: {line}</p>
      <p>
        {connected ? `${utterances.length} messages` : "not connected"}
        {(error ?? fault)?.message}
      </p>
      <BeingPresence spaceId={SPACE} />
      <Tasks spaceId={SPACE} />
      <Chat spaceId={SPACE} />
    </main>
  );
}
