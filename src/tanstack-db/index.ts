import type { CollectionConfig, SyncConfig } from "@tanstack/db";
import type { EntityFields, EntityOf, EntityType, SpaceClient } from "../client/index.js";
import { isOurs, type Row, rowsOf } from "../client/lists.js";
import { SpacefeedError } from "../protocol/errors.js";

/** What a collection may be told otherwise: `gcTime`, `startSync`, `autoIndex`, … */
type Others<Row extends object> = Omit<
  CollectionConfig<Row, string>,
  "getKey" | "sync" | "schema" | "onInsert" | "onUpdate" | "onDelete"
>;

export interface SpacefeedCollectionConfig<T extends EntityType, Row extends object = object>
  extends Others<Row> {
  /** A client of the space. It stays open: who has made it closes it. */
  client: Pick<
    SpaceClient,
    "spaceId" | "subscribe" | "getSnapshot" | "createEntity" | "updateEntity" | "deleteEntity"
  >;
  /** What a tracked table is called, or `being`, or `intention`. */
  type: T;
}

/**
 * The rows of a type that are in a space, as a collection of TanStack DB. A mutation is persisted when the client's state
 * holds the stored row; it fails with the SpacefeedError of a refusal, and is taken back.
 *
 *     const tasks = createCollection(spacefeedCollectionOptions({ client, type: "task" }));
 */
export function spacefeedCollectionOptions<R extends object = never, T extends EntityType = string>({
  client,
  type,
  ...others
}: SpacefeedCollectionConfig<T, EntityOf<T, R>>): CollectionConfig<EntityOf<T, R>, string> {
  type Fields = EntityFields<T>;
  // In the order in which they were made: the client sends one after the other.
  const each =
    <M>(change: (mutation: M) => Promise<unknown>) =>
    ({ transaction }: { transaction: { mutations: readonly M[] } }) =>
      Promise.all(transaction.mutations.map(change));
  return {
    id: `${client.spaceId} ${type}`,
    ...others,
    getKey: (row) => (row as Row).id,
    sync: { sync: (run) => follow(client, type, run), rowUpdateMode: "full" },
    onInsert: each(({ modified }) => client.createEntity(type, settable(type, modified) as Fields)),
    onUpdate: each(({ key, changes }) => client.updateEntity(type, key, settable(type, changes) as Fields)),
    onDelete: each(({ key }) => client.deleteEntity(type, key)),
  };
}

const PASSING = ["unavailable", "internal", "rate_limited"];

type Run<T extends object> = Parameters<SyncConfig<T, string>["sync"]>[0];

/** Has the collection hold what the client shows, from now on. Returns what ends that. */
function follow<T extends object>(
  client: SpacefeedCollectionConfig<string>["client"],
  type: string,
  { collection, begin, write, commit, markReady, markError }: Run<T>,
): () => void {
  let held: readonly Row[] = [];
  const look = () => {
    const { data, entities, fault } = client.getSnapshot();
    const rows = rowsOf(entities, type);
    if (rows !== held) {
      // Rows that did not change are the same objects, also after a new snapshot: there is nothing to truncate.
      const before = new Map(held.map((row) => [row.id, row]));
      begin();
      for (const row of rows) {
        const known = before.get(row.id);
        before.delete(row.id);
        if (row !== known) write({ type: known ? "update" : "insert", value: row as unknown as T });
      }
      for (const key of before.keys()) write({ type: "delete", key });
      commit();
      held = rows;
    }
    if (data && collection.status !== "ready") markReady();
    // The client goes on trying. What passes by itself is waited for.
    const isRefused = !data && fault && !PASSING.includes(fault.code);
    if (isRefused && collection.status === "loading")
      markError(new SpacefeedError(fault.code, fault.message));
  };
  const stop = client.subscribe(look);
  look();
  return stop;
}

/** Of beings and messages the server itself sets some fields, which a row of the collection has as well. */
function settable(type: string, row: object): object {
  if (!isOurs(type)) return row;
  const { messageId, createdAt, modifiedAt, ...fields } = row as Record<string, unknown>;
  return fields;
}
