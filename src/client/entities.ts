import type { Being, Entity, Intention } from "../protocol/messages.js";

/**
 * The rows of a space, by their type. Declare what your tracked tables have, as `spacefeed types` prints it:
 *
 *     declare module "spacefeed" { interface Entities { task: Task } }
 */
export interface Entities {
  being: Being;
  intention: Intention;
}

/** Also of a table that is not declared: its rows have an `id`, and whatever else the wire brings. */
export type EntityType = keyof Entities | (string & {});
/** A row of a type, unless it is said what it is. */
export type EntityOf<Type, Row = never> = [Row] extends [never]
  ? Type extends keyof Entities
    ? Entities[Type]
    : Entity
  : Row;
/** The fields of a row that a client sets. */
export type EntityFields<Type> = { [Field in keyof EntityOf<Type>]?: EntityOf<Type>[Field] | undefined };
