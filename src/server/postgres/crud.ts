import { randomUUID } from "node:crypto";
import { SpacefeedError } from "../../protocol/errors.js";
import { type Claims, claimsJson, type Database } from "./functions.js";

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

/** The fields of a request, by their wire names, and its JSON as it came. */
type Fields = Readonly<Record<string, unknown>>;
export interface Request {
  fields: Fields;
  text: string;
}

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
  { fields, text }: Request,
): Promise<Stored> {
  const id = fields.id ?? randomUUID();
  const columns = named(entity, { fields: { id, ownerId: claims?.being, ...fields }, text }, 2);
  const names = columns.map(({ column }) => column);
  const values = [claimsJson(claims), ...columns.map(({ value }) => value)];
  const rows = await db.query<Stored>(
    `create ${entity.noun}`,
    `insert into ${entity.table} as e (${names.join(", ")})
     values (${columns.map(({ term }) => term).join(", ")})
     on conflict (id) do nothing
     returning ${json(entity)}::text as json, e.location_id as "spaceId",
       sync.demand($1, 'create', e.location_id, ${json(entity)}::jsonb),
       sync.demand_owner($1, $1::jsonb ->> 'being', e.owner_id)`,
    values,
  );
  if (rows[0]) return rows[0];

  const owner = columns.find(({ column }) => column === "owner_id")?.term ?? "null";
  const same = columns.map(({ column, term }) => `e.${column} is not distinct from ${term}`).join(" and ");
  const there = await db.query<Stored & { same: boolean }>(
    `retry ${entity.noun}`,
    `select w.wire::text as json, w.space_id as "spaceId", ${same} as same
     from ${entity.table} as e, ${wire(entity, "e.id")} as w
     where e.id = $2 and w.wire is not null
       and sync.demand_owner($1, $1::jsonb ->> 'being', ${owner})
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

/** Changes the given fields of a row, of this space if one is given. Throws `not_found`, or `conflict` where it stays. */
export async function update(
  db: Database,
  claims: Claims,
  entity: Entity,
  id: string,
  spaceId: string | undefined,
  request: Request,
): Promise<Stored> {
  const columns = named(entity, request, 4);
  const owner = columns.find(({ column }) => column === "owner_id")?.term ?? "e.owner_id";
  const rows = await db.query<Stored>(
    `update ${entity.noun}`,
    `update ${entity.table} as e
     set ${columns.map(({ column, term }) => `${column} = ${term}`).join(", ")}
     where e.id = $2 and e.location_id is not distinct from coalesce($3, e.location_id)
       and sync.demand($1, 'update', e.location_id, ${json(entity)}::jsonb)
       and sync.demand_owner($1, e.owner_id, ${owner})
     returning ${json(entity)}::text as json, e.location_id as "spaceId",
       sync.demand($1, 'update', e.location_id, ${json(entity)}::jsonb)`,
    [claimsJson(claims), id, spaceId ?? null, ...columns.map(({ value }) => value)],
  );
  return rows[0] ?? unchanged(db, claims, "update", entity, id, spaceId);
}

/** Deletes a row, of this space if one is given, and returns it as it was. Throws as `update` does. */
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
  return rows[0] ?? unchanged(db, claims, "delete", entity, id, spaceId);
}

/** The space that a row is in, for who may change it so; null: in none; undefined: there is no such row. */
export async function spaceOf(
  db: Database,
  claims: Claims,
  action: "update" | "delete",
  entity: Entity,
  id: string,
): Promise<string | null | undefined> {
  const rows = await db.query<{ spaceId: string | null }>(
    `space of ${entity.noun}`,
    `select e.space_id as "spaceId" from ${wire(entity, "$1")} as e
     where e.wire is not null and sync.demand($2, $3, e.space_id, e.wire::jsonb)`,
    [id, claimsJson(claims), action],
  );
  return rows[0]?.spaceId;
}

/** The columns that a request names, each with its value and the term for it: `first` is the number of its first parameter. */
function named(entity: Entity, { fields, text }: Request, first: number) {
  return Object.entries({ id: "id", ...entity.columns })
    .filter(([field]) => fields[field] !== undefined)
    .map(([field, column], index) =>
      // JavaScript would round the numbers: Postgres takes them from the text.
      JSON_COLUMNS.includes(column)
        ? { column, value: text, term: `($${first + index}::jsonb #> '{data,${field}}')` }
        : { column, value: fields[field], term: `$${first + index}` },
    );
}

/** No row was changed: because there is none, or because something in the database keeps it as it is. */
async function unchanged(
  db: Database,
  claims: Claims,
  action: "update" | "delete",
  entity: Entity,
  id: string,
  spaceId: string | undefined,
): Promise<never> {
  const found = await spaceOf(db, claims, action, entity, id);
  if (found === undefined || found !== (spaceId ?? found)) return missing(entity, id, spaceId);
  throw new SpacefeedError(
    "conflict",
    `the database has the ${entity.noun} ${id}, but did not ${action} it: a trigger or a row policy on ` +
      `${entity.table} dropped the ${action}`,
  );
}

function missing(entity: Entity, id: string, spaceId: string | undefined): never {
  const where = spaceId === undefined ? "" : ` in space ${spaceId}`;
  throw new SpacefeedError("not_found", `there is no ${entity.noun} ${id}${where}`);
}
