import { useState } from "react";
import { createRoot } from "react-dom/client";
import { BeingPresence, Chat, InlineBeingName, useSpaceData } from "../../../src/react/index.js";
import { useSync } from "./use-sync.js";

// The application's page: its own hook, and ours with our components.

const SPACE = "@space-1";

function Original() {
  const [isOpen, setOpen] = useState(true);
  const { beings, intentions, seen } = useSync(SPACE, isOpen);
  return (
    <section id="original" data-seen={seen.join(" ")}>
      <button type="button" onClick={() => setOpen(!isOpen)}>
        {isOpen ? "Disconnect" : "Connect"}
      </button>
      <ul id="original-beings">
        {beings.map(({ id, name }) => (
          <li key={id}>{name}</li>
        ))}
      </ul>
      <ol id="original-intentions">
        {intentions.map(({ id, content }) => (
          <li key={id}>{content.join()}</li>
        ))}
      </ol>
    </section>
  );
}

function Ours() {
  const { beings, utterances, mode } = useSpaceData<string>(SPACE);
  return (
    <section id="ours" data-mode={mode}>
      <ul id="our-beings">
        {beings.map(({ id, name }) => (
          <li key={id}>{name}</li>
        ))}
      </ul>
      <ol id="our-intentions">
        {utterances.map(({ id, content }) => (
          <li key={id}>{content.join()}</li>
        ))}
      </ol>
      <BeingPresence spaceId={SPACE} />
      <p id="name">
        <InlineBeingName spaceId={SPACE} beingId="@bot-1" />
      </p>
      <Chat spaceId={SPACE} />
    </section>
  );
}

createRoot(document.getElementById("root") as HTMLElement).render(
  <>
    <Original />
    <Ours />
  </>,
);
