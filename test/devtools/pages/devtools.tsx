// Two spaces, one of them with two clients, and the devtools, as in an application that is being developed.
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { SpacefeedDevtools } from "../../../src/devtools/index.js";
import { useSpaceData } from "../../../src/react/index.js";

const [one = "", two = ""] = new URLSearchParams(location.search).getAll("space");

function Space({ id, tabs = true }: { id: string; tabs?: boolean }) {
  const { utterances, createIntention } = useSpaceData(id, { tabs });
  return (
    <button type="button" onClick={() => void createIntention({ content: ["from the page"] })}>
      {utterances.length} in {id}
    </button>
  );
}

function Page() {
  const [has, setHas] = useState({ third: true, devtools: true });
  return (
    <main>
      <Space id={one} />
      <Space id={two} />
      {has.third && <Space id={two} tabs={false} />}
      <button type="button" onClick={() => setHas({ ...has, third: false })}>
        Leave one
      </button>
      <button type="button" onClick={() => setHas({ ...has, devtools: false })}>
        Without devtools
      </button>
      {has.devtools && <SpacefeedDevtools />}
    </main>
  );
}

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <Page />
  </StrictMode>,
);
