import { randomUUID } from "node:crypto";
import { SpacefeedError } from "../protocol/errors.js";
import { type Claims, claimsJson, type Database } from "./database.js";

/** What the API knows of a table: its columns by their wire names. The wire form itself is made in SQL. */
export interface Entity {
  noun: "being" | "message";
  table: "public.beings" | "public.intentions";
  /** Its type in SQL: sync.entity() has the wire form of a row, by its ID. */
  wire: "being" | "intention";
  columns: Readonly<Record<string, string>>;
}

export const BEING: Entity = {
  noun: "being",
  table: "public.beings",
  wire: "being",
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
  wire: "intention",
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
const wire = (entity: Entity, id: string) => `sync.entity('${entity.wire}', ${id})`;
const json = (entity: Entity) => `(${wire(entity, "e.id")}).wire`;

// The wire form is asked for by the row's ID: a relay needs no right on the columns that do not leave (P9).

/** The row with this ID, of this space if one is given. Throws `not_found`. */
export async function get(db: Database, claims: Claims, entity: Entity, id: string, spaceId?: string) {
  const rows = await db.query<Stored>(
    `get ${entity.noun}`,
    `select e.wire::text as json, e.space_id as "spaceId" from ${wire(entity, "$1")} as e
     where e.wire is not null and e.space_id is not distinct from coalesce($2, e.space_id)
       and sync.demand($3, 'read', e.space_id, null)`,
    [id, spaceId ?? null, claimsJson(claims)],
  );
  return rows[0] ?? missing(entity, id, spaceId);
}

/** The beings of a space, oldest first, as one JSON text; all of them without a limit. */
export async function listBeings(
  db: Database,
  claims: Claims,
  spaceId: string,
  limit: number | null,
): Promise<string> {
  const rows = await db.query<{ json: string }>(
    "list beings",
    "select sync.beings($1, $2)::text as json from sync.demand($3, 'read', $1, null)",
    [spaceId, limit, claimsJson(claims)],
  );
  return rows[0]?.json ?? "[]";
}

/** The newest messages of a space, or of those before a message, oldest first, as one JSON text; fewer if they are big. */
export async function listIntentions(
  db: Database,
  claims: Claims,
  spaceId: string,
  limit: number,
  before: string | undefined,
): Promise<{ json: string; hasMore: boolean }> {
  const rows = await db.query<{ json: string; hasMore: boolean }>(
    "list messages",
    `select m.messages::text as json, m.has_more as "hasMore"
     from sync.demand($4, 'read', $1, null), lateral sync.messages($1, $2, $3) as m`,
    [spaceId, limit, before ?? null, claimsJson(claims)],
  );
  return rows[0] ?? { json: "[]", hasMore: false };
}

/**
 * Stores a new row, which is the caller's, if he has claims. With an ID that is taken it is a safe retry: the
 * stored row when the fields are the same, else `conflict`.
 */
export async function create(
  db: Database,
  claims: Claims,
  entity: Entity,
  fields: Fields & { id?: string },
): Promise<Stored> {
  const id = fields.id ?? randomUUID();
  const columns = [...named(entity, { ownerId: claims?.being, ...fields }), { column: "id", value: id }];
  const names = columns.map((column) => column.column);
  const values = [claimsJson(claims), ...columns.map((column) => column.value)];
  const rows = await db.query<Stored>(
    `create ${entity.noun}`,
    `insert into ${entity.table} as e (${names.join(", ")})
     values (${names.map((_, index) => `$${index + 2}`).join(", ")})
     on conflict (id) do nothing
     returning ${json(entity)}::text as json, e.location_id as "spaceId",
       sync.demand($1, 'create', e.location_id, ${json(entity)}::jsonb),
       sync.demand_owner($1, $1::jsonb ->> 'being', e.owner_id)`,
    values,
  );
  if (rows[0]) return rows[0];

  const owner = names.indexOf("owner_id");
  const same = names.map((name, index) => `e.${name} is not distinct from $${index + 2}`).join(" and ");
  const there = await db.query<Stored & { same: boolean }>(
    `retry ${entity.noun}`,
    `select w.wire::text as json, w.space_id as "spaceId", ${same} as same
     from ${entity.table} as e, ${wire(entity, "e.id")} as w
     where e.id = $${names.length + 1} and w.wire is not null
       and sync.demand_owner($1, $1::jsonb ->> 'being', ${owner < 0 ? "null" : `$${owner + 2}`})
       and sync.demand($1, 'create', w.space_id, w.wire::jsonb)`,
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
  claims: Claims,
  entity: Entity,
  id: string,
  spaceId: string | undefined,
  fields: Fields,
): Promise<Stored> {
  const columns = named(entity, fields);
  const names = columns.map((column) => column.column);
  const values = names.map((_, index) => `$${index + 4}`);
  const owner = values[names.indexOf("owner_id")] ?? "e.owner_id";
  const rows = await db.query<Stored>(
    `update ${entity.noun}`,
    `update ${entity.table} as e
     set ${names.map((name, index) => `${name} = ${values[index]}`).join(", ")}
     where e.id = $2 and e.location_id is not distinct from coalesce($3, e.location_id)
       and sync.demand($1, 'update', e.location_id, ${json(entity)}::jsonb)
       and sync.demand_owner($1, e.owner_id, ${owner})
     returning ${json(entity)}::text as json, e.location_id as "spaceId",
       sync.demand($1, 'update', e.location_id, ${json(entity)}::jsonb)`,
    [claimsJson(claims), id, spaceId ?? null, ...columns.map((column) => column.value)],
  );
  return rows[0] ?? missing(entity, id, spaceId);
}

/** Deletes a row, of this space if one is given, and returns it as it was. Throws `not_found`. */
export async function remove(db: Database, claims: Claims, entity: Entity, id: string, spaceId?: string) {
  const rows = await db.query<Stored>(
    `delete ${entity.noun}`,
    `with going as materialized (
       select e.id, e.location_id, ${json(entity)} as wire from ${entity.table} as e
       where e.id = $1 and e.location_id is not distinct from coalesce($2, e.location_id)
         and sync.demand($3, 'delete', e.location_id, ${json(entity)}::jsonb)
       for update
     )
     delete from ${entity.table} as e using going where e.id = going.id
     returning going.wire::text as json, going.location_id as "spaceId"`,
    [id, spaceId ?? null, claimsJson(claims)],
  );
  return rows[0] ?? missing(entity, id, spaceId);
}

/** The space that a row is in, for who may change it so; null: in none, or there is no such row. */
export async function spaceOf(
  db: Database,
  claims: Claims,
  action: "update" | "delete",
  entity: Entity,
  id: string,
): Promise<string | null> {
  const rows = await db.query<{ spaceId: string | null }>(
    `space of ${entity.noun}`,
    `select e.space_id as "spaceId" from ${wire(entity, "$1")} as e
     where e.wire is not null and sync.demand($2, $3, e.space_id, e.wire::jsonb)`,
    [id, claimsJson(claims), action],
  );
  return rows[0]?.spaceId ?? null;
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
