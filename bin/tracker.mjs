import { readFile } from "node:fs/promises";
import { inSession } from "../dist/server/postgres/session.js";

const SQL = new URL("../src/demo/tracker/tracker.sql", import.meta.url);

/** Makes the table of the demo's tracker, and has it tracked, where it is not there: in a database that is the demo's own. */
export function makeTracker(databaseUrl) {
  return inSession({ connectionString: databaseUrl, application_name: "spacefeed demo" }, async (client) => {
    const { rows } = await client.query("select to_regclass('public.tasks') is null as is_missing");
    if (!rows[0].is_missing) return;
    // One by one: a procedure that commits is no part of another transaction.
    for (const statement of (await readFile(SQL, "utf8")).split(/;\n/)) {
      if (statement.trim() !== "") await client.query(statement);
    }
  });
}
