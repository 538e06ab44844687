import { readFileSync } from "node:fs";
import type { Session } from "../support/postgres/session.js";

const STATEMENT = /(?:\$\$[\s\S]*?\$\$|'(?:[^']|'')*'|--[^\n]*|[^;])+;/g;

/** Runs a file of this folder as psql does: one statement after the other. */
export async function runFile(session: Session, file: string): Promise<void> {
  await session.run(...statementsOf(file));
}

export function statementsOf(file: string): string[] {
  return readFileSync(new URL(file, import.meta.url), "utf8").match(STATEMENT) ?? [];
}
