import pg from "pg";
import { afterAll, beforeAll, inject } from "vitest";

/** Roles that may log in with the password x, and nothing more. To be called first: what they own is dropped before them. */
export function useRoles(...names: string[]): string[] {
  const roles = names.map((name) => `spacefeed_${name}_${process.pid}`);
  const asAdmin = async (statements: string[]) => {
    const admin = new pg.Client({ connectionString: inject("templateUrl") });
    await admin.connect();
    try {
      for (const statement of statements) await admin.query(statement);
    } finally {
      await admin.end();
    }
  };
  afterAll(() => asAdmin(roles.map((role) => `drop role ${role}`)));
  beforeAll(() => asAdmin(roles.map((role) => `create role ${role} login password 'x'`)));
  return roles;
}

/** The same database as this role. */
export function urlAs(url: string, role: string): string {
  const as = new URL(url);
  as.username = role;
  as.password = "x";
  return as.href;
}
