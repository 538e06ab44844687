import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { post, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream } from "../../support/relay/stream.js";

const db = useDatabase();
const relay = useRelay(db);

/** What every answer tells a browser. */
function expectSecure({ headers }: Response): void {
  expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
  expect(headers.get("X-Frame-Options")).toBe("DENY");
  expect(headers.get("Referrer-Policy")).toBe("no-referrer");
  expect(headers.get("Content-Security-Policy")).toMatch(/default-src 'none'/);
  expect(headers.get("Content-Security-Policy")).toMatch(/frame-ancestors 'none'/);
  expect(headers.get("Strict-Transport-Security")).toBeNull();
  expect(headers.get("X-Powered-By")).toBeNull();
}

test("every answer has secure headers: states, refusals, descriptions and metrics", async () => {
  const spaceId = await newSpace(relay.current);
  for (const path of [
    `/api/sync?spaceId=${spaceId}`,
    "/api/sync?spaceId=nowhere",
    "/api/stream",
    "/nowhere",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
  ]) {
    expectSecure(await fetch(new URL(path, relay.current.url)));
  }
  expectSecure(await fetch(`${relay.current.url}/api/beings`, { method: "POST", body: "{" }));
});

test.each(["stream", "sync"])("a %s has them too, and is no other kind of text", async (path) => {
  const stream = await openStream(
    `${relay.current.url}/api/${path}?spaceId=${await newSpace(relay.current)}`,
  );
  expectSecure(stream.response);
  expect(stream.response.headers.get("Content-Type")).toBe("text/event-stream; charset=utf-8");
  stream.close();
});

test("what somebody has written is never an HTML page: it is JSON, whatever is in it", async () => {
  const spaceId = await newSpace(relay.current);
  const name = "<script>alert(1)</script>";
  await post(relay.current, "intentions", { action: "create", intentionId: name, spaceId, data: { name } });
  for (const path of [
    `/api/sync?spaceId=${spaceId}`,
    `/api/sync?spaceId=${encodeURIComponent(name)}`,
    `/${name}`,
  ]) {
    const response = await fetch(new URL(path, relay.current.url));
    expect(response.headers.get("Content-Type")).toMatch(/^application\/json/);
  }
});
