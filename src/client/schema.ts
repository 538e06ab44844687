import type { Being, Intention } from "../protocol/messages.js";
import { type Lists, mapLists, type Row } from "./lists.js";

/** A schema of zod, valibot, ArkType or any other library that keeps to https://standardschema.dev. */
export interface StandardSchema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Result<Output> | Promise<Result<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

type Result<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly Issue[] };

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A row that its schema refuses. */
export interface RowProblem {
  readonly code: "invalid";
  /** For people: which row, and what is wrong with it. */
  readonly message: string;
  readonly type: string;
  readonly id: string;
  /** As the schema says it. */
  readonly issues: readonly Issue[];
  /** As it came. */
  readonly row: Row;
}

/** What a client checks its rows with: see `defineSchemas`. `Rows` is what they are then. */
export interface Schemas<Rows = object> {
  check(lists: Lists): { lists: Lists; problems: readonly RowProblem[] };
  /** Only a type. */
  readonly rows?: Rows;
}

export interface SchemaOptions {
  /** Of the content of each message, which is an array. */
  content?: StandardSchema<readonly unknown[]>;
  /** Of whole rows, by the name of the table on the wire. */
  entities?: Readonly<Record<string, StandardSchema<object>>> & { readonly intention?: never };
}

type OutputOf<Schema> = Schema extends StandardSchema<infer Output> ? Output : never;
type RowsOf<Options extends SchemaOptions> = {
  [Type in keyof Options["entities"]]: OutputOf<Options["entities"][Type]> & { id: string };
} & {
  being: Being;
  intention: Options["content"] extends StandardSchema<readonly (infer Part)[]> ? Intention<Part> : Intention;
};

/**
 * Schemas for `createSpaceClient` and `SpacefeedProvider`. The client shows what they make of a row; one that they
 * refuse is in the snapshot's `problems` instead of the lists. They have to be synchronous.
 *
 *     const schemas = defineSchemas({ content: z.array(z.string()), entities: { task: z.object({ title: z.string() }) } });
 */
export function defineSchemas<const Options extends SchemaOptions>(
  options: Options,
): Schemas<RowsOf<Options>> {
  const { content, entities = {} } = options;
  const schemaOf = (type: string) =>
    type === "intention" ? content : Object.hasOwn(entities, type) ? entities[type] : undefined;
  // A row that has not changed is checked once.
  const judged = new WeakMap<Row, Verdict>();
  const judge = (schema: StandardSchema, type: string, row: Row): Verdict => {
    const known = judged.get(row);
    if (known) return known;
    const isContent = type === "intention";
    const result = validate(schema, isContent ? (row as Intention).content : row);
    const verdict: Verdict = result.issues
      ? { problem: problemOf(type, row, result.issues) }
      : {
          row: { ...(isContent ? { ...row, content: result.value } : (result.value as object)), id: row.id },
        };
    judged.set(row, verdict);
    return verdict;
  };
  return {
    check(lists) {
      const problems: RowProblem[] = [];
      const fitting = mapLists(lists, (rows, type) => {
        const schema = schemaOf(type);
        if (!schema) return rows;
        const verdicts = rows.map((row) => judge(schema, type, row));
        problems.push(...verdicts.flatMap(({ problem = [] }) => problem));
        return verdicts.flatMap(({ row = [] }) => row);
      });
      return { lists: fitting, problems };
    },
  };
}

interface Verdict {
  readonly row?: Row;
  readonly problem?: RowProblem;
}

/** Nothing that a schema does reaches the page. */
function validate(schema: StandardSchema, value: unknown): Result<unknown> {
  try {
    const result = schema["~standard"].validate(value);
    if (!("then" in result)) return result;
    result.catch(() => {});
    return {
      issues: [{ message: "the schema is asynchronous, or throws: rows are shown at once, so it cannot be" }],
    };
  } catch (error) {
    return { issues: [{ message: `the schema failed: ${error instanceof Error ? error.message : error}` }] };
  }
}

function problemOf(type: string, row: Row, issues: readonly Issue[]): RowProblem {
  const said = issues.map(({ message, path = [] }) => {
    const keys = path.map((part) => String(typeof part === "object" ? part.key : part));
    return [keys.join("."), message].filter(Boolean).join(": ");
  });
  const message = `${type} "${row.id}" does not fit its schema: ${said.join("; ")}`;
  return { code: "invalid", message, type, id: row.id, issues, row };
}
