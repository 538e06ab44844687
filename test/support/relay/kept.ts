import { expect } from "vitest";
import type { Conversation } from "../browser/conversation.js";
import type { Tab } from "../browser/tab.js";

interface KeptState {
  format: number;
  state: { version: number };
}
interface KeptChange {
  fields: { content?: unknown[] };
}

type Entry = [key: [kind: "space" | "changes", space: string, tab?: string], value: unknown];

/** Where a client is. */
interface Place {
  page: Pick<Tab, "evaluate">;
}

/** What the client has in IndexedDB; null when it has no database there. */
export function kept(tab: Place): Promise<Entry[] | null> {
  return tab.page.evaluate(async () => {
    const done = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    // To open what is not there would make it.
    if ((await indexedDB.databases()).length === 0) return null;
    const database = await done(indexedDB.open("spacefeed"));
    const store = database.transaction("kept").objectStore("kept");
    const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
    database.close();
    return keys.map((key, index) => [key, values[index]] as Entry);
  });
}

/** Waits until the space is kept as the database has it. */
export async function stateKept(tab: Place, { spaceId, session }: Conversation): Promise<void> {
  await expect
    .poll(async () => {
      const found = (await kept(tab))?.find(([[kind, space]]) => kind === "space" && space.includes(spaceId));
      const version = await session.value("select version::int from sync.spaces where space_id = $1", [
        spaceId,
      ]);
      return (found?.[1] as KeptState | undefined)?.state.version === version;
    })
    .toBe(true);
}

/** Waits until exactly these changes are kept for later, of all tabs: the texts that they set, in any order. */
export async function changesKept(tab: Place, texts: readonly string[]): Promise<void> {
  await expect
    .poll(async () => {
      const entries = (await kept(tab))?.filter(([[kind]]) => kind === "changes") ?? [];
      const changes = entries.flatMap(([, value]) => value as KeptChange[]);
      return changes.map(({ fields }) => String(fields.content?.[0])).sort();
    })
    .toEqual([...texts].sort());
}
