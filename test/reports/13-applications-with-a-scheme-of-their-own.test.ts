import { expect, test } from "vitest";
import { readConfig } from "../../src/server/config.js";
import { useDatabase } from "../support/postgres/database.js";
import { useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

const ORIGINS = [
  "capacitor://localhost",
  "ionic://localhost",
  "tauri://localhost",
  "app://.",
  "chrome-extension://nkbihfbeogaeaoehlefnkodbefgpgknn",
  "moz-extension://0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
  "vscode-webview://0hk3",
  "file://",
  "http://tauri.localhost",
];
const db = useDatabase();
const { corsOrigins } = readConfig({ CORS_ORIGINS: ORIGINS.join(", ") });
const relay = useRelay(db, { corsOrigins });

const ask = (path: string, init: RequestInit) => fetch(new URL(path, relay.current.url), init);
const create = (origin: string) =>
  ask("/api/beings", { method: "POST", headers: { Origin: origin }, body: '{"action":"create"}' });

test.each(ORIGINS)(
  "an application may be named in CORS_ORIGINS, and reads and writes: %s",
  async (origin) => {
    const spaceId = await newSpace(relay.current);
    const preflight = await ask("/api/beings", {
      method: "OPTIONS",
      headers: { Origin: origin, "Access-Control-Request-Method": "POST" },
    });
    const read = await ask(`/api/sync?spaceId=${spaceId}`, { headers: { Origin: origin } });
    const written = await create(origin);
    for (const answer of [preflight, read, written]) {
      expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
    }
    expect([read.status, written.status]).toEqual([200, 200]);
  },
);

test("an application that is not named may not write, also where its host is called as the relay's", async () => {
  const { host } = new URL(relay.current.url);
  for (const origin of ["capacitor://elsewhere", `capacitor://${host}`, "null"]) {
    expect((await create(origin)).status).toBe(403);
  }
});
