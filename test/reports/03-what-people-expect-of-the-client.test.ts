import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { expectEqual, followed } from "../support/relay/follow.js";
import { HttpProxy, type Verdict } from "../support/relay/http-proxy.js";
import { useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db);

const json = (status: number, body: object): Verdict => ({
  status,
  type: "application/json",
  text: JSON.stringify(body),
});
const says = (code: string) => ({ success: false, error: `it says ${code}`, code });

/** Nobody has said no to the change: the fault is on the other side, or somebody else has answered. */
const PASSING: Verdict[] = [
  ...[500, 501, 502, 503, 504, 505, 507, 508, 511, 520, 529].map((status) => ({ status })),
  json(500, says("internal")),
  json(503, says("unavailable")),
  json(500, says("invalid")),
  json(502, says("forbidden")),
  json(200, {}),
  json(200, { data: null }),
  json(200, []),
];

test("a client keeps a change, and sends it again, whatever 5xx the answer has", async (context) => {
  const spaceId = await newSpace(relay.current);
  const session = await Session.open(db);
  const kept = PASSING.map(async (verdict, n) => {
    const proxy = await HttpProxy.before(relay.current.url);
    context.onTestFinished(() => proxy.close());
    const client = await followed(context, { url: proxy.url, spaceId });
    let attempts = 0;
    proxy.rule = ({ method }) => (method === "POST" && attempts++ === 0 ? verdict : "pass");
    const message = await client.createIntention({ id: `m${n}`, name: JSON.stringify(verdict) });
    expect([attempts, client.getSnapshot().error]).toEqual([2, null]);
    return { client, name: message.name };
  });
  const all = await Promise.all(kept);
  const rows = await session.query("select name from intentions where location_id = $1", [spaceId]);
  expect(rows.map(({ name }) => name).sort()).toEqual(all.map(({ name }) => name).sort());
  for (const { client } of all) await expectEqual(client, relay.current.url);
});
