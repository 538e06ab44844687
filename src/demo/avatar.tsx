import { useBeing } from "../react/index.js";

/** White on each of these is 5 to 1 at least, on light and on dark ground. */
const COLORS = ["#b02a50", "#a8431b", "#7c5a06", "#3c6e1f", "#0d7068", "#1b66a8", "#5b4bc4", "#93378f"];

/** A being's mark: its initial, in a colour that its ID decides. Without a being the message came by SQL. */
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
  const isBot = being?.type === "bot";
  return (
    <span
      className="avatar"
      data-kind={isBot ? "bot" : "guest"}
      style={isBot ? undefined : { background: colorOf(beingId) }}
      aria-hidden="true"
    >
      {initial.toUpperCase()}
    </span>
  );
}

function colorOf(id: string): string | undefined {
  let hash = 0x811c9dc5;
  for (const character of id) hash = Math.imul(hash ^ (character.codePointAt(0) as number), 0x01000193);
  return COLORS[(hash >>> 13) % COLORS.length];
}
