import type { Being, Entity, Intention } from "../protocol/messages.js";
import type { Row } from "./lists.js";

/**
 * The rows of a space, by their type. Declare what your tracked tables have, as `spacefeed types` prints it:
 *
 *     declare module "spacefeed" { interface Entities { task: Task } }
 *
 * Or say it of one client: `createSpaceClient<{ task: Task }>(…)`.
 */
export interface Entities {
  being: Being;
  intention: Intention;
}

/** What maps types to rows: an object of which each property is a row. */
export type RowMap<Rows> = object & { [Type in keyof Rows]: Row };
/** What the parts of a message's content are, where `Rows` says what a message is. */
export type ContentOf<Rows> = Rows extends { intention: { content: readonly (infer Part)[] } }
  ? Part
  : unknown;

/** Also of a table that is not declared: its rows have an `id`, and whatever else the wire brings. */
export type EntityType<Rows = Entities> = (keyof Rows & string) | keyof Entities | (string & {});
/** A row of a type, unless it is said what it is. */
export type EntityOf<Type, R = never, Rows = Entities> = [R] extends [never]
  ? Type extends keyof Rows
    ? Rows[Type]
    : Type extends keyof Entities
      ? Entities[Type]
      : Entity
  : R;
/** The fields of a row that a client sets. */
export type EntityFields<Type, Rows = Entities> = {
  [Field in keyof EntityOf<Type, never, Rows>]?: EntityOf<Type, never, Rows>[Field] | undefined;
};
