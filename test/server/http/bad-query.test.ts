import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { useRefusals } from "../../support/relay/refusal.js";
import { useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const db = useDatabase();
const relay = useRelay(db);
const refused = useRefusals(db, relay);
const invalid = (error: RegExp | string) => ({ status: 400, code: "invalid", error });

test("an unknown space is 404 before the stream opens, and the answer says how to make it", async () => {
  for (const path of ["/api/stream", "/api/sync"]) {
    for (const headers of [{ Accept: "text/event-stream" }, {}] as Record<string, string>[]) {
      const error = /there is no space no-where.*"beingId":"no-where"/;
      await refused(
        `${path}?spaceId=no-where`,
        undefined,
        { status: 404, code: "not_found", error },
        { headers },
      );
    }
  }
  const headers = { "Last-Event-ID": "0123456789abcdef.5" };
  await refused(
    "/api/stream?spaceId=no-where",
    undefined,
    { status: 404, code: "not_found", error: /no space/ },
    { headers },
  );
});

test("a being that is no space is no space to read", async () => {
  const client = await db.connect();
  await client.query("insert into public.beings (id, type) values ('a guest', 'guest')");
  await refused("/api/stream?spaceId=a+guest", undefined, {
    status: 404,
    code: "not_found",
    error: /no space a guest/,
  });
});

test.each([
  ["/", "GET"],
  ["/api", "GET"],
  ["/api/beings", "GET"],
  ["/api/beings/", "POST"],
  ["/api/sync", "POST"],
  ["/api/beings", "PUT"],
  ["/api/beings", "DELETE"],
])("an unknown route is 404 in the same form: %s %s", async (path, method) => {
  const error = `there is no ${method} ${path}: see /openapi.json`;
  await refused(path, undefined, { status: 404, code: "not_found", error }, { method });
});

test.each([["/api/stream"], ["/api/sync"]])(
  "the query of %s is checked, and each fault is named",
  async (path) => {
    const spaceId = await newSpace(relay.current);
    await refused(path, undefined, invalid(/^spaceId: /));
    await refused(`${path}?spaceId=`, undefined, invalid(/^spaceId: must not be empty/));
    const twice = invalid("spaceId: is given more than once");
    await refused(`${path}?spaceId=${spaceId}&spaceId=${spaceId}`, undefined, twice);
    await refused(`${path}?spaceid=${spaceId}`, undefined, invalid(/^spaceId: /));
    for (const text of ["%00", "a%00b", "%0A"]) {
      await refused(`${path}?spaceId=${text}`, undefined, invalid(/^spaceId: /));
    }
  },
);

test.each([
  "yesterday",
  "-1",
  "1.5",
  "1e3",
  "msg_",
  "msg_x",
  "2026-13-45",
  "2026-01-01T25:00:00Z",
  "0123456789abcdef.",
  "12345678901234567890",
  "' or 1=1",
  "a\nb",
])("a since that says nothing is refused and named: %j", async (since) => {
  const spaceId = await newSpace(relay.current);
  const url = streamUrl(relay.current.url, spaceId, since);
  const error = expect.getState().currentTestName?.includes("2026-") ? /2026-/ : /since/;
  await refused(`${url.pathname}${url.search}`, undefined, invalid(error));
});

test("a since with a NUL is refused, as everywhere", async () => {
  const spaceId = await newSpace(relay.current);
  await refused(`/api/stream?spaceId=${spaceId}&since=%00`, undefined, invalid(/^since: has a NUL/));
});

test.each(["garbage", "-1", "0123456789abcdef.", "'", "msg_", "2026-99-99", "\u00ff", "a".repeat(5000)])(
  "P11: a Last-Event-ID that says nothing gets a space-sync, for an EventSource cannot mend it: %s",
  async (lastEventId) => {
    const spaceId = await newSpace(relay.current);
    const stream = await openStream(streamUrl(relay.current.url, spaceId, 1), {
      "Last-Event-ID": lastEventId,
    });
    expect(stream.response.status).toBe(200);
    const [sync] = await stream.until((events) => events.length === 1);
    expect(sync).toMatchObject({ type: "space-sync", version: 1 });
    stream.close();
  },
);

test.each([
  "types=everything",
  "types=beings,beings",
  "types=",
  "limit=-1",
  "limit=1.5",
  "limit=x",
  "limit=10001",
])("a wrong parameter of /api/sync is refused and named: %s", async (parameter) => {
  const spaceId = await newSpace(relay.current);
  const error = invalid(new RegExp(`^${parameter.split("=")[0]}: `));
  await refused(`/api/sync?spaceId=${spaceId}&${parameter}`, undefined, error);
});

test.each(["limit=", "limit=%20", "limit=0x10", "limit=1e2"])(
  "a limit is written in digits: %s is refused, and is not quietly a number",
  async (parameter) => {
    const spaceId = await newSpace(relay.current);
    await refused(`/api/sync?spaceId=${spaceId}&${parameter}`, undefined, invalid(/^limit: /));
  },
);
