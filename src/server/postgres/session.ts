import pg from "pg";

/** Does the work in a session of its own, which ends with it. */
export async function inSession<T>(
  settings: pg.ClientConfig,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionTimeoutMillis: 5_000, ...settings });
  client.on("error", () => {}); // what is under way rejects as well
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}
