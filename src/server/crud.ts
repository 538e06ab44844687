import { randomUUID } from "node:crypto";
import { SpacefeedError } from "../protocol/errors.js";
import { claimsJson, type Database } from "./database.js";

/** What the API knows of a table: its columns by their wire names. The wire form itself is made in SQL. */
export interface Entity {
  noun: "being" | "message";
  table: "public.beings" | "public.intentions";
  json: "sync.being_json" | "sync.intention_json";
  columns: Readonly<Record<string, string>>;
}

export const BEING: Entity = {
  noun: "being",
  table: "public.beings",
  json: "sync.being_json",
  columns: {
    name: "name",
    type: "type",
    ownerId: "owner_id",
    locationId: "location_id",
    metadata: "metadata",
    properties: "properties",
    content: "content",
  },
};

export const INTENTION: Entity = {
  noun: "message",
  table: "public.intentions",
  json: "sync.intention_json",
  columns: {
    name: "name",
    type: "type",
    state: "state",
    ownerId: "owner_id",
    locationId: "location_id",
    content: "content",
  },
};

/** A row in its wire form, one JSON text, and the space that it is in. */
export interface Stored {
  json: string;
  spaceId: string | null;
}

/** The fields of a request, by their wire names. */
export type Fields = Readonly<Record<string, unknown>>;

const JSON_COLUMNS = ["metadata", "properties", "content"];
const returning = (entity: Entity) => `${entity.json}(e)::text as json, e.location_id as "spaceId"`;

/** The row with this ID, of this space if one is given. Throws `not_found`. */
export async function get(db: Database, claims: unknown, entity: Entity, id: string, spaceId?: string) {
  const rows = await db.query<Stored>(
    `get ${entity.noun}`,
    `select ${returning(entity)} from ${entity.table} as e
     where e.id = $1 and e.location_id is not distinct from coalesce($2, e.location_id)
       and sync.demand($3, 'read', e.location_id, null)`,
    [id, spaceId ?? null, claimsJson(claims)],
  );
  return rows[0] ?? missing(entity, id, spaceId);
}

/** The beings of a space, oldest first, as one JSON text; all of them without a limit. */
export async function listBeings(
  db: Database,
  claims: unknown,
  spaceId: string,
  limit: number | null,
): Promise<string> {
  const rows = await db.query<{ json: string }>(
    "list beings",
    `select coalesce(json_agg(sync.being_json(page.b) order by (page.b).created_at, (page.b).id collate "C"), '[]')::text as json
     from sync.demand($3, 'read', $1, null), lateral (
       select b from public.beings as b where b.location_id = $1 order by b.created_at, b.id collate "C" limit $2
     ) as page`,
    [spaceId, limit, claimsJson(claims)],
  );
  return rows[0]?.json ?? "[]";
}

/** The newest messages of a space, or of those before a message, oldest first, as one JSON text. */
export async function listIntentions(
  db: Database,
  claims: unknown,
  spaceId: string,
  limit: number,
  before: string | undefined,
): Promise<string> {
  const rows = await db.query<{ json: string }>(
    "list messages",
    `select m.messages::text as json
     from sync.demand($4, 'read', $1, null), lateral sync.messages($1, $2, $3) as m`,
    [spaceId, limit, before ?? null, claimsJson(claims)],
  );
  return rows[0]?.json ?? "[]";
}

/**
 * Stores a new row. With an ID that is taken it is a safe retry: the stored row when the fields are the same,
 * else `conflict`.
 */
export async function create(
  db: Database,
  claims: unknown,
  entity: Entity,
  fields: Fields & { id?: string },
): Promise<Stored> {
  const id = fields.id ?? randomUUID();
  const columns = [...named(entity, fields), { column: "id", value: id }];
  const names = columns.map((column) => column.column);
  const values = [claimsJson(claims), ...columns.map((column) => column.value)];
  const rows = await db.query<Stored>(
    `create ${entity.noun}`,
    `insert into ${entity.table} as e (${names.join(", ")})
     values (${names.map((_, index) => `$${index + 2}`).join(", ")})
     on conflict (id) do nothing
     returning ${returning(entity)}, sync.demand($1, 'create', e.location_id, ${entity.json}(e)::jsonb)`,
    values,
  );
  if (rows[0]) return rows[0];

  const same = names.map((name, index) => `e.${name} is not distinct from $${index + 2}`).join(" and ");
  const there = await db.query<Stored & { same: boolean }>(
    `retry ${entity.noun}`,
    `select ${returning(entity)}, ${same} as same from ${entity.table} as e
     where e.id = $${names.length + 1} and sync.demand($1, 'create', e.location_id, ${entity.json}(e)::jsonb)`,
    values,
  );
  if (there[0]?.same) return there[0];
  throw new SpacefeedError(
    "conflict",
    there[0]
      ? `there is another ${entity.noun} with the ID ${id}: take a new ID, or update that one`
      : `the database took the ${entity.noun}, but stored nothing: a trigger on ${entity.table} dropped it`,
  );
}

/** Changes the given fields of a row, of this space if one is given. Throws `not_found`. */
export async function update(
  db: Database,
  claims: unknown,
  entity: Entity,
  id: string,
  spaceId: string | undefined,
  fields: Fields,
): Promise<Stored> {
  const columns = named(entity, fields);
  const names = columns.map((column) => column.column);
  const rows = await db.query<Stored>(
    `update ${entity.noun}`,
    `update ${entity.table} as e
     set ${names.map((name, index) => `${name} = $${index + 4}`).join(", ")}
     where e.id = $2 and e.location_id is not distinct from coalesce($3, e.location_id)
       and sync.demand($1, 'update', e.location_id, ${entity.json}(e)::jsonb)
     returning ${returning(entity)}, sync.demand($1, 'update', e.location_id, ${entity.json}(e)::jsonb)`,
    [claimsJson(claims), id, spaceId ?? null, ...columns.map((column) => column.value)],
  );
  return rows[0] ?? missing(entity, id, spaceId);
}

/** Deletes a row, of this space if one is given, and returns it as it was. Throws `not_found`. */
export async function remove(db: Database, claims: unknown, entity: Entity, id: string, spaceId?: string) {
  const rows = await db.query<Stored>(
    `delete ${entity.noun}`,
    `delete from ${entity.table} as e
     where e.id = $1 and e.location_id is not distinct from coalesce($2, e.location_id)
       and sync.demand($3, 'delete', e.location_id, ${entity.json}(e)::jsonb)
     returning ${returning(entity)}`,
    [id, spaceId ?? null, claimsJson(claims)],
  );
  return rows[0] ?? missing(entity, id, spaceId);
}

function named(entity: Entity, fields: Fields) {
  return Object.entries(entity.columns)
    .filter(([field]) => fields[field] !== undefined)
    .map(([field, column]) => ({
      column,
      value: JSON_COLUMNS.includes(column) ? JSON.stringify(fields[field]) : fields[field],
    }));
}

function missing(entity: Entity, id: string, spaceId: string | undefined): never {
  const where = spaceId === undefined ? "" : ` in space ${spaceId}`;
  throw new SpacefeedError("not_found", `there is no ${entity.noun} ${id}${where}`);
}
