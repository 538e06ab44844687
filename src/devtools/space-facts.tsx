import type { SpaceStore } from "../client/store.js";
import { modeOf } from "./space-list.js";

/** One space in detail. */
export function SpaceFacts({ store }: { store: SpaceStore }) {
  const { replica, spaceId } = store;
  const mode = modeOf(store);
  const wrong = store.delay ?? store.fault;
  const held = Object.entries(replica?.lists ?? {})
    .filter(([, rows]) => rows.length > 0)
    .map(([type, rows]) => `${rows.length} ${type}`);
  const facts = [
    ["Mode", mode],
    ["Cursor", replica?.cursor ?? "none yet"],
    ["Holds", held.join(", ") || "nothing yet"],
    ["Fault", wrong?.message],
    ["Error", store.error?.message],
  ] as const;
  return (
    <section aria-label={`Space ${spaceId}`}>
      <dl>
        {facts.map(
          ([name, value]) =>
            value && (
              <div key={name} data-fact={name}>
                <dt>{name}</dt>
                <dd data-mode={name === "Mode" ? mode : undefined}>{value}</dd>
              </div>
            ),
        )}
      </dl>
    </section>
  );
}
