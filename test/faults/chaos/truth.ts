import { isDeepStrictEqual } from "node:util";
import pg from "pg";
import type { Being, Intention } from "../../../src/protocol/messages.js";

/** A space as the tables have it. */
export interface SpaceTruth {
  version: number;
  beings: Being[];
  /** All of them, oldest first. */
  intentions: Intention[];
}

/** Reads the tables themselves: not by the functions that the relay reads with, but for the form of a row. */
export async function truthOf(databaseUrl: string, spaceIds: string[]): Promise<Map<string, SpaceTruth>> {
  const client = new pg.Client({ connectionString: databaseUrl, application_name: "chaos truth" });
  client.on("error", () => {});
  await client.connect();
  try {
    const { rows } = await client.query<SpaceTruth & { spaceId: string }>(
      `select s.space_id as "spaceId", s.version::int,
         (select coalesce(json_agg(sync.being_json(b) order by b.created_at, b.id collate "C"), '[]')
          from public.beings as b where b.location_id = s.space_id) as beings,
         (select coalesce(json_agg(sync.intention_json(i) order by i.created_at, substr(i.message_id, 5)::bigint), '[]')
          from public.intentions as i where i.location_id = s.space_id) as intentions
       from sync.spaces as s where s.space_id = any($1)`,
      [spaceIds],
    );
    return new Map(rows.map(({ spaceId, ...truth }) => [spaceId, truth]));
  } finally {
    await client.end();
  }
}

/** In short, what is not the same; undefined when all is. */
export function unlike<T extends { id: string }>(
  what: string,
  has: readonly T[],
  wanted: readonly T[],
): string | undefined {
  if (isDeepStrictEqual([...has], [...wanted])) return undefined;
  const [here, there] = [has, wanted].map((list) => new Map(list.map((entity) => [entity.id, entity])));
  const missing = wanted.filter(({ id }) => !here?.has(id));
  const surplus = has.filter(({ id }) => !there?.has(id));
  const other = wanted.filter(
    (entity) => here?.has(entity.id) && !isDeepStrictEqual(here.get(entity.id), entity),
  );
  const said = [
    ["missing", missing],
    ["surplus", surplus],
    ["other", other],
  ] as const;
  const parts = said
    .filter(([, list]) => list.length > 0)
    .map(([word, list]) => `${list.length} ${word}, such as ${JSON.stringify(list[0])}`);
  return `${what}: ${parts.join("; ") || "in another order"}`;
}
