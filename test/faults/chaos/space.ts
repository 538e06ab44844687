import type pg from "pg";
import type { Chance } from "../../support/process/chance.js";

const SHARED = 12;

/** The IDs of a space, and of what is in it from the beginning. Everybody changes these, and moves them about. */
export const spaceNamed = (n: number) => `space ${n}`;
export const twins = (space: string) => [`left of ${space}`, `right of ${space}`];
export const counterOf = (writer: string) => `counter of ${writer}`;

/** A row that all writers know; by now it may be anywhere, or gone. */
export function someShared(chance: Chance, kind: "being" | "message", spaces: readonly string[]): string {
  return `${kind} ${chance.below(SHARED)} of ${chance.of(spaces)}`;
}

/** The spaces with what is in them, and the row of each writer. */
export async function furnish(client: pg.Client, spaces: string[], writers: string[]): Promise<void> {
  await client.query(
    "insert into public.beings (id, type, name) select s, 'space', s from unnest($1::text[]) as s",
    [spaces],
  );
  await client.query(
    `insert into public.beings (id, location_id, name)
     select side || ' of ' || s, s, '0' from unnest($1::text[]) as s, unnest(array['left', 'right']) as side
     union all select 'being ' || n || ' of ' || s, s, '' from unnest($1::text[]) as s, generate_series(0, $2::int - 1) as n`,
    [spaces, SHARED],
  );
  await client.query(
    `insert into public.intentions (id, location_id, name)
     select 'message ' || n || ' of ' || s, s, '' from unnest($1::text[]) as s, generate_series(0, $2::int - 1) as n`,
    [spaces, SHARED],
  );
  await client.query(
    `insert into public.beings (id, location_id, name, type)
     select 'counter of ' || w, $2, '0', 'document' from unnest($1::text[]) as w`,
    [writers, spaces[0]],
  );
}
