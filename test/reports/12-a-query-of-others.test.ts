import { EventSource } from "eventsource";
import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { post, useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";
import { openStream, streamUrl } from "../support/relay/stream.js";

const db = useDatabase();
const relay = useRelay(db);

const NAMES = ["lastEventId", "Last-Event-ID", "last-event-id", "lasteventid"];

test.each(NAMES)(
  "an EventSource polyfill that has no headers goes on where it was, by its query: %s",
  async (name) => {
    const spaceId = await newSpace(relay.current);
    const first = await openStream(streamUrl(relay.current.url, spaceId));
    const [{ cursor }] = await first.until((events) => events.length === 1);
    first.close();
    await post(relay.current, "intentions", { action: "create", intentionId: `missed ${name}`, spaceId });

    const url = streamUrl(relay.current.url, spaceId, 0);
    url.searchParams.set(name, cursor);
    const again = await openStream(url);
    const [event] = await again.until((events) => events.length === 1);
    again.close();
    expect(event).toMatchObject({ type: "intention-created", prev: 1, data: { id: `missed ${name}` } });
  },
);

test("the header is newer than the address, and beats it", async () => {
  const spaceId = await newSpace(relay.current);
  const url = streamUrl(relay.current.url, spaceId);
  url.searchParams.set("lastEventId", "0123456789abcdef.7");
  const stream = await openStream(url, { "Last-Event-ID": "1" });
  await post(relay.current, "intentions", { action: "create", spaceId });
  const [event] = await stream.until((events) => events.length === 1);
  stream.close();
  expect(event.type).toBe("intention-created");
});

test.each(["garbage", "%00", "", "msg_"])(
  "P11: what a polyfill cannot mend gets a space-sync: lastEventId=%s",
  async (id) => {
    const spaceId = await newSpace(relay.current);
    const stream = await openStream(`${streamUrl(relay.current.url, spaceId).href}&lastEventId=${id}`);
    expect(stream.response.status).toBe(200);
    const [event] = await stream.until((events) => events.length === 1);
    stream.close();
    expect(event).toMatchObject({ type: "space-sync", version: 1 });
  },
);

test("parameters that are not ours are ignored, also when there are two of them", async () => {
  const spaceId = await newSpace(relay.current);
  const source = new EventSource(
    `${streamUrl(relay.current.url, spaceId).href}&r=0.7&r=0.8&utm_source=mail&limit=x`,
  );
  const data = await new Promise<string>((resolve, reject) => {
    source.onmessage = (event) => resolve(event.data);
    source.onerror = (event) => reject(new Error(`the stream was refused: ${event.code}`));
  }).finally(() => source.close());
  expect(JSON.parse(data)).toMatchObject({ type: "space-sync", spaceId });
  const state = await fetch(`${relay.current.url}/api/sync?spaceId=${spaceId}&since=1&_=1732&_=1733`);
  expect(state.status).toBe(200);
});
