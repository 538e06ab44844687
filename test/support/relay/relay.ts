import { pino } from "pino";
import { type Config, readConfig } from "../../../src/server/config.js";
import { type Relay, startRelay } from "../../../src/server/relay.js";
import type { TestDatabase } from "../postgres/database.js";
import { useRunning } from "../process/running.js";

/** A relay on a free port. The caller closes it. */
export function startTestRelay(db: TestDatabase, settings: Partial<Config> = {}): Promise<Relay> {
  const config = { ...readConfig({}), databaseUrl: db.url, demo: false, port: 0, ...settings };
  return startRelay(config, pino({ level: process.env.TEST_LOG ?? "silent" }));
}

/** One relay for a test file, started before its tests and closed after them. */
export function useRelay(db: TestDatabase, settings: Partial<Config> = {}): { readonly current: Relay } {
  return useRunning(
    () => startTestRelay(db, settings),
    (relay) => relay.close(),
  );
}

/** POSTs to the API; the answer's status and its parsed body. */
export async function post(
  relay: Relay,
  path: "beings" | "intentions" | "entities",
  body: unknown,
  headers: object = {},
) {
  const response = await fetch(`${relay.url}/api/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into it
  return { status: response.status, headers: response.headers, body: (await response.json()) as any };
}
