import { report } from "../report.mjs";
import { Api } from "./api.mjs";
import { groups } from "./cases/groups.mjs";
import { manySpaces } from "./cases/many-spaces.mjs";
import { requests } from "./cases/requests.mjs";
import { sql } from "./cases/sql.mjs";
import { state } from "./cases/state.mjs";
import { stream } from "./cases/stream.mjs";
import { World } from "./world.mjs";

/** What a relay is asked, in the order of the rules; what changes the epoch comes last. */
export const relayCases = [...requests, ...stream, ...groups, ...manySpaces, ...state, ...sql];

/** Checks a relay from outside. Returns the exit code. */
export async function checkRelay(cases, { url, headers, databaseUrl, patienceMs }) {
  const api = new Api(url, headers);
  const database = databaseUrl === undefined ? undefined : await connect(databaseUrl);
  try {
    return await report(cases, 1, async (each) => {
      const world = new World(api, database, patienceMs);
      try {
        await each.run(world);
      } finally {
        world.close();
      }
    });
  } finally {
    await database?.end();
  }
}

async function connect(connectionString) {
  const { default: pg } = await import("pg").catch((cause) => {
    throw new Error("--database needs the package pg: npm install pg", { cause });
  });
  const client = new pg.Client({ connectionString, application_name: "spacefeed-conformance" });
  await client.connect();
  return client;
}
