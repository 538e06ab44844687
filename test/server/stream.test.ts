import { expect, test } from "vitest";
import { useDatabase } from "../support/database.js";
import { post, useRelay } from "../support/relay.js";
import { openStream, streamUrl } from "../support/stream.js";

const db = useDatabase();
const relay = useRelay(db);

test("P6: a row written with SQL reaches the client of its space", async () => {
  await post(relay.current, "beings", { action: "create", beingId: "lobby", data: { type: "space" } });
  const stream = await openStream(streamUrl(relay.current.url, "lobby"));
  await stream.until((events) => events[0]?.type === "space-sync");
  const client = await db.connect();
  await client.query("insert into intentions (location_id, content) values ('lobby', '[\"hi\"]')");
  const events = await stream.until((all) => all.length === 2);
  expect(events[1]).toMatchObject({
    type: "intention-created",
    version: 2,
    prev: 1,
    data: { content: ["hi"] },
  });
  expect(stream.messages.at(1)?.id).toBe(events[1].cursor);
  stream.close();
});
