import { useBeing } from "../react/index.js";

const COLORS = 8;

/** A being's mark: its initial, in a colour that its ID decides. Who has no being wrote with SQL. */
export function Avatar({ spaceId, beingId }: { spaceId: string; beingId: string | null }) {
  const being = useBeing(spaceId, beingId ?? "");
  if (beingId === null) {
    return (
      <span className="avatar" data-kind="sql" aria-hidden="true">
        SQL
      </span>
    );
  }
  const [initial = "?"] = being?.name.trim() ?? "";
  return (
    <span
      className="avatar"
      data-kind={being?.type ?? "guest"}
      data-color={colorOf(beingId)}
      aria-hidden="true"
    >
      {initial.toUpperCase()}
    </span>
  );
}

function colorOf(id: string): number {
  let hash = 0x811c9dc5;
  for (const character of id) hash = Math.imul(hash ^ (character.codePointAt(0) as number), 0x01000193);
  return (hash >>> 13) % COLORS;
}
