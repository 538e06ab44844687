import { useCallback } from "react";
import type { Being } from "../client/index.js";
import { BeingPresence, InlineBeingName, useSpaceData } from "../react/index.js";
import { Avatar } from "./avatar.js";
import { DevtoolsLink } from "./devtools.js";
import { PsqlLine } from "./psql-line.js";
import type { DemoSpace } from "./spaces.js";
import type { PageFacts } from "./use-page-facts.js";

const PEOPLE: Being["type"][] = ["guest", "bot"];

export interface SpaceSideProps {
  /** Of the element, for the button that opens it. */
  id: string;
  space: DemoSpace;
  visitorId: string;
  facts: PageFacts | null;
}

/** Who belongs to a space, the visitor's own name, and the way in with SQL. On a phone it is a sheet. */
export function SpaceSide({ id, space, visitorId, facts }: SpaceSideProps) {
  const renderBeing = useCallback(
    (being: Being) => (
      <>
        <Avatar spaceId={space.id} beingId={being.id} />
        <span className="being-name" dir="auto">
          {being.name || "Unnamed"}
        </span>
        {being.type === "bot" && <span className="being-tag">bot</span>}
        {being.id === visitorId && <span className="being-tag">you</span>}
      </>
    ),
    [space, visitorId],
  );
  return (
    <aside className="side" id={id} popover="auto" aria-label="About this space">
      <section className="you" aria-labelledby={`${id}-you`}>
        <h2 id={`${id}-you`}>Your name</h2>
        <div className="you-card">
          <Avatar spaceId={space.id} beingId={visitorId} />
          <InlineBeingName spaceId={space.id} beingId={visitorId} label="Your name" />
        </div>
      </section>
      {facts && <PsqlLine psql={facts.psql} spaceId={space.id} />}
      <section className="people" aria-labelledby={`${id}-people`}>
        <h2 id={`${id}-people`}>Who belongs here</h2>
        <BeingPresence spaceId={space.id} types={PEOPLE} renderBeing={renderBeing} />
      </section>
      <Clock spaceId={space.id} />
      <button type="button" className="side-close" popoverTarget={id} popoverTargetAction="hide">
        Close
      </button>
    </aside>
  );
}

/** The space's version counts its transactions: it goes up with each one, while somebody looks. */
function Clock({ spaceId }: { spaceId: string }) {
  const { data } = useSpaceData(spaceId);
  return (
    <p className="clock">
      Space <code>{spaceId}</code> is at version <b>{data?.version ?? "…"}</b>.{" "}
      <a href="/tracker">A board of another table</a>, <DevtoolsLink hash={`#${spaceId}`} />
    </p>
  );
}
