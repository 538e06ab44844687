import type { Snapshot } from "../postgres/functions.js";
export function spaceSyncEvent(_: string, snapshot: Snapshot): string {
  return snapshot.json;
}
export interface ChangeInfo {
  type: "add" | "update" | "delete";
  entityType: "being" | "intention";
  entityId: string;
}
export function spaceState(
  _: string,
  snapshot: Snapshot,
  __: ReadonlySet<string>,
  changeInfo?: ChangeInfo,
): string {
  return changeInfo
    ? `${snapshot.json.slice(0, -1)},"changeInfo":${JSON.stringify(changeInfo)}}`
    : snapshot.json;
}
