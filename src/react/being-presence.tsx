import { memo, type ReactNode, useMemo } from "react";
import type { Being, SpaceSnapshot } from "../client/index.js";
import { useSelected, useSharedClient } from "./use-space-client.js";

export interface BeingPresenceProps {
  spaceId: string;
  className?: string;
  /** Instead of initial, name and type. Keep it the same function, and only what changes renders again. */
  renderBeing?: (being: Being) => ReactNode;
  /** Unless given: guests, bots and spaces. */
  types?: readonly Being["type"][];
  /** The list's name, for screen readers. Unless given: "Who belongs here". */
  label?: string;
}

/**
 * The beings that belong to a space, whether or not they look at it now.
 *
 * Parts: `sf-presence`, in it `sf-being` (with `data-type`), in that `sf-being-initial`, `sf-being-name` and
 * `sf-being-type`. It brings no styles.
 */
export function BeingPresence(props: BeingPresenceProps) {
  const { spaceId, className, renderBeing, types, label = "Who belongs here" } = props;
  const client = useSharedClient(spaceId);
  const beings = useSelected(client, types ? everyone : online);
  const shown = useMemo(
    () => (types ? beings.filter((being) => types.includes(being.type)) : beings),
    [beings, types],
  );
  return (
    <ul className={className ? `sf-presence ${className}` : "sf-presence"} aria-label={label}>
      {shown.map((being) => (
        <BeingItem key={being.id} being={being} render={renderBeing} />
      ))}
    </ul>
  );
}

interface BeingItemProps {
  being: Being;
  render: BeingPresenceProps["renderBeing"];
}

const BeingItem = memo(function BeingItem({ being, render = renderDefault }: BeingItemProps) {
  return (
    <li className="sf-being" data-type={being.type}>
      {render(being)}
    </li>
  );
});

function renderDefault({ name, type }: Being): ReactNode {
  const [initial = "?"] = name.trim();
  return (
    <>
      <span className="sf-being-initial" aria-hidden="true">
        {initial.toUpperCase()}
      </span>
      <span className="sf-being-name" dir="auto">
        {name || "Unnamed"}
      </span>
      <span className="sf-being-type">{type}</span>
    </>
  );
}

const everyone = (snapshot: SpaceSnapshot) => snapshot.beings;
const online = (snapshot: SpaceSnapshot) => snapshot.onlineBeings;
