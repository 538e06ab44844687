import { type ReactNode, StrictMode } from "react";
import type { SpaceState } from "../../../src/client/index.js";
import {
  BeingPresence,
  type BeingPresenceProps,
  Chat,
  type ChatProps,
  HydrateSpace,
  InlineBeingName,
  type InlineBeingNameProps,
  SpacefeedProvider,
  type SpacefeedProviderProps,
  type SpaceOptions,
  useBeing,
  useEntities,
  useEntity,
  useIntention,
  useSpaceClient,
  useSpaceData,
} from "../../../src/react/index.js";

/** One component of the page. What a hook returns is in `seen`, by the part's `as`. */
export type Part =
  | ({ what: "Chat" } & ChatProps)
  | ({ what: "BeingPresence" } & BeingPresenceProps)
  | ({ what: "InlineBeingName" } & InlineBeingNameProps)
  | { what: "useSpaceData" | "useSpaceClient"; spaceId: string; options?: SpaceOptions; as?: string }
  | { what: "useBeing" | "useIntention" | "useEntity"; spaceId: string; id: string; as?: string }
  | { what: "useEntities"; spaceId: string; as?: string };

export interface Scene {
  strict?: boolean;
  provider?: Omit<SpacefeedProviderProps, "children">;
  /** What a server has read. */
  state?: SpaceState;
  parts: Part[];
}

/** What the hooks have returned last. */
export const seen: Record<string, unknown> = {};

/** A scene for React to render, on a page or on a server. */
export function compose({ strict, provider, state, parts }: Scene): ReactNode {
  const parted = parts.map((part, index) => <PartOf key={index.toString()} part={part} />);
  const content = state ? <HydrateSpace state={state}>{parted}</HydrateSpace> : parted;
  const provided = provider ? <SpacefeedProvider {...provider}>{content}</SpacefeedProvider> : content;
  return strict ? <StrictMode>{provided}</StrictMode> : provided;
}

function PartOf({ part }: { part: Part }) {
  const { what, ...props } = part;
  switch (part.what) {
    case "Chat":
      return <Chat {...(props as ChatProps)} />;
    case "BeingPresence":
      return <BeingPresence {...(props as BeingPresenceProps)} />;
    case "InlineBeingName":
      return <InlineBeingName {...(props as InlineBeingNameProps)} />;
    case "useSpaceData":
      return <Data {...part} />;
    case "useSpaceClient":
      return <Client {...part} />;
    case "useBeing":
      return <OneBeing {...part} />;
    case "useIntention":
      return <OneIntention {...part} />;
    case "useEntity":
      return <OneTask {...part} />;
    case "useEntities":
      return <Tasks {...part} />;
  }
}

type HookPart = Extract<Part, { what: "useSpaceData" | "useSpaceClient" }>;
type EntityPart = Extract<Part, { what: "useBeing" | "useIntention" | "useEntity" }>;

function Data({ spaceId, options, as = "data" }: HookPart) {
  seen[as] = useSpaceData(spaceId, options);
  return null;
}

function Client({ spaceId, options, as = "client" }: HookPart) {
  seen[as] = useSpaceClient(spaceId, options);
  return null;
}

function OneBeing({ spaceId, id, as = "being" }: EntityPart) {
  seen[as] = useBeing(spaceId, id);
  return null;
}

function OneIntention({ spaceId, id, as = "intention" }: EntityPart) {
  seen[as] = useIntention(spaceId, id);
  return null;
}

function OneTask({ spaceId, id, as = "task" }: EntityPart) {
  seen[as] = useEntity(spaceId, "task", id);
  return null;
}

function Tasks({ spaceId, as = "tasks" }: Extract<Part, { what: "useEntities" }>) {
  seen[as] = useEntities(spaceId, "task");
  return null;
}
