import type { Observed } from "../client/observed.js";
import type { SpaceStore } from "../client/store.js";
import { isPending } from "./pending-list.js";

const MARKS = { opening: "○", realtime: "●", polling: "◐", cache: "○" };

export const modeOf = ({ replica, mode }: SpaceStore) => (replica ? mode : "opening");

interface SpaceListProps {
  clients: readonly Observed[];
  shown: Observed | undefined;
  onChoose(client: Observed): void;
}

/** The spaces that the clients of this page hold. */
export function SpaceList({ clients, shown, onChoose }: SpaceListProps) {
  if (clients.length === 0) return <p className="none">This page follows no space.</p>;
  return (
    <ul className="spaces" aria-label="Spaces">
      {clients.map((client, index) => {
        const store = client();
        const { spaceId, replica, mutations } = store;
        const mode = modeOf(store);
        const pending = mutations.filter(isPending).length;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: two clients may have the same space
          <li key={`${spaceId} ${index}`}>
            <button type="button" aria-pressed={client === shown} onClick={() => onChoose(client)}>
              <span className="mark" data-mode={mode} aria-hidden="true">
                {MARKS[mode]}
              </span>
              <span className="name" dir="auto">
                {spaceId}
              </span>
              {pending > 0 && <span className="pending">{pending} pending</span>}
              <span className="soft">{replica ? `v${replica.version}` : mode}</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
