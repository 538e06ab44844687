import type { Snapshot } from "../postgres/functions.js";

/** A snapshot as the `space-sync` event: the JSON of Postgres between the braces of the relay. */
export function spaceSyncEvent(spaceId: string, snapshot: Snapshot): string {
  const { version, cursor, beings, intentions, lastMessageId, hasMore } = snapshot;
  return (
    `{"type":"space-sync","spaceId":${JSON.stringify(spaceId)},"version":${version},"cursor":"${cursor}",` +
    `"timestamp":"${new Date().toISOString()}","beings":${beings},"intentions":${intentions},` +
    `"lastMessageId":${JSON.stringify(lastMessageId)},"hasMore":${hasMore}}`
  );
}

/** Which entity changed, where it was just one. */
export interface ChangeInfo {
  type: "add" | "update" | "delete";
  entityType: "being" | "intention";
  entityId: string;
}

/** A snapshot as the complete state that `/api/sync` sends. */
export function spaceState(
  spaceId: string,
  snapshot: Snapshot,
  types: ReadonlySet<string>,
  changeInfo?: ChangeInfo,
): string {
  const { version, cursor, beings, intentions, hasMore } = snapshot;
  return (
    `{"spaceId":${JSON.stringify(spaceId)},"version":${version},"timestamp":"${new Date().toISOString()}",` +
    (types.has("beings") ? `"beings":${beings},` : "") +
    (types.has("intentions") ? `"intentions":${intentions},` : "") +
    `"cursor":"${cursor}","hasMore":${types.has("intentions") && hasMore}` +
    `${changeInfo ? `,"changeInfo":${JSON.stringify(changeInfo)}` : ""}}`
  );
}
