// What pgbench does for support/write-load.mjs, where it is not installed: prints commits a second.

import pg from "pg";

const { url, sql, numbers, writers, seconds, each } = JSON.parse(process.argv[2]);
const query = { name: "write", text: sql.replaceAll(":n", "$1::integer") };
const clients = Array.from({ length: writers }, () => new pg.Client({ connectionString: url }));
await Promise.all(clients.map((client) => client.connect()));

const start = performance.now();
const end = start + (seconds ?? 0) * 1000;
let commits = 0;
await Promise.all(
  clients.map(async (client) => {
    for (let done = 0; each ? done < each : performance.now() < end; done++) {
      const n = 1 + Math.floor(Math.random() * numbers);
      await client.query({ ...query, values: query.text.includes("$1") ? [n] : [] });
      commits++;
    }
  }),
);
console.log((commits * 1000) / (performance.now() - start));
await Promise.all(clients.map((client) => client.end()));
