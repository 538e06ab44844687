import { useEffect, useId } from "react";
import { useSpaceData } from "../react/index.js";
import { ConnectionStatus } from "./connection-status.js";
import icon from "./icon.svg";
import { SpaceRoom } from "./space-room.js";
import { SpaceSide } from "./space-side.js";
import { SpaceTab } from "./space-tab.js";
import { type DemoSpace, SPACES } from "./spaces.js";
import { type PageFacts, usePageFacts } from "./use-page-facts.js";
import { useSpaceInHash } from "./use-space-in-hash.js";
import { useVisitor } from "./use-visitor.js";

/** The whole page. */
export function Page() {
  const space = useSpaceInHash();
  const side = useId();
  const facts = usePageFacts();
  return (
    <div className="page">
      <header className="bar">
        <h1 className="brand" aria-label="Spacefeed">
          <img src={icon} alt="" width="28" height="28" />
          <span className="brand-name">Spacefeed</span>
        </h1>
        <nav className="tabs" aria-label="Spaces">
          {SPACES.map((each) => (
            <SpaceTab key={each.id} space={each} isCurrent={each === space} />
          ))}
        </nav>
        <Status space={space} />
        <button type="button" className="side-open" popoverTarget={side}>
          Details
        </button>
      </header>
      <Visit key={space.id} space={space} side={side} facts={facts} />
    </div>
  );
}

/** One space, with the visitor in it. Another space is another visit. */
function Visit({ space, side, facts }: { space: DemoSpace; side: string; facts: PageFacts | null }) {
  const visitorId = useVisitor(space);
  useEffect(() => {
    document.title = `${space.name} – Spacefeed`;
  }, [space]);
  return (
    <>
      <SpaceRoom space={space} visitorId={visitorId} />
      <SpaceSide id={side} space={space} visitorId={visitorId} facts={facts} />
    </>
  );
}

function Status({ space }: { space: DemoSpace }) {
  const { mode, fault } = useSpaceData(space.id);
  return <ConnectionStatus mode={mode} fault={fault} />;
}
