import { get, type IncomingMessage } from "node:http";
import { createParser } from "eventsource-parser";
import { expect, test } from "vitest";
import type { Relay } from "../../../src/server/relay.js";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { startTestRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const db = useDatabase();
const session = useSession(db);

const KiB = 1024;
const NEVER = 60_000;

/** A stream of which nothing is read yet: what the sockets do not take waits in the relay. */
function openUnread(url: URL): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, { headers: { Accept: "text/event-stream" } }, resolve).on("error", reject);
  });
}

/** Reads the versions that come, to the last one or to the end of the stream. */
async function readTo(last: number, response: IncomingMessage): Promise<number[]> {
  const versions: number[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (!event) versions.push((JSON.parse(data) as { version: number }).version);
    },
  });
  response.setEncoding("utf8");
  try {
    for await (const chunk of response) {
      parser.feed(chunk as string);
      if (versions.at(-1) === last) break;
    }
  } catch {
    versions.push(-1); // cut off
  }
  response.destroy();
  return versions;
}

async function spaceOf(relay: Relay, bytes: number): Promise<string> {
  const spaceId = await newSpace(relay);
  const grow = "update public.beings set content = to_jsonb(repeat('x', $2)) where id = $1";
  await session.query(grow, [spaceId, bytes]);
  return spaceId;
}

test.each([
  ["of 200 KiB", 200 * KiB, NEVER, 120],
  ["of 3 MiB", 3072 * KiB, NEVER, 12],
  ["of 3 MiB, and heartbeats meanwhile", 3072 * KiB, 100, 12],
])(
  "P10: a slow reader of /api/sync skips states %s, and ends at the newest",
  { timeout: 60_000 },
  async (_, bytes, heartbeatMs, changes) => {
    const relay = await startTestRelay(db, { heartbeatMs });
    try {
      const spaceId = await spaceOf(relay, bytes);
      const url = new URL(`/api/sync?spaceId=${spaceId}`, relay.url);
      const slow = await openUnread(url);
      const witness = await openStream(url);
      const last = 2 + changes;
      for (let version = 3; version <= last; version++) {
        await session.query("update public.beings set name = $1 where id = $2", [`${version}`, spaceId]);
        await witness.until((all) => all.at(-1)?.version === version);
      }
      const beats = () => witness.messages.filter((message) => message.event).length;
      const before = beats();
      if (heartbeatMs !== NEVER) await expect.poll(beats, { timeout: 10_000 }).toBeGreaterThan(before + 2);
      witness.close();
      const versions = await readTo(last, slow);
      expect(versions.at(-1)).toBe(last);
      expect(versions).toEqual([...versions].sort((a, b) => a - b));
      expect(versions.length).toBeLessThan(changes + 1);
    } finally {
      await relay.close();
    }
  },
);

test("P10: a space-sync of 8 MiB reaches a slow reader of /api/stream, though heartbeats come meanwhile", async () => {
  const relay = await startTestRelay(db, { heartbeatMs: 100 });
  try {
    const spaceId = await spaceOf(relay, 8192 * KiB);
    const url = new URL(`/api/stream?spaceId=${spaceId}`, relay.url);
    const slow = await openUnread(url);
    const witness = await openStream(new URL(`/api/stream?spaceId=${await newSpace(relay)}`, relay.url));
    const beats = () => witness.messages.filter((message) => message.event).length;
    await expect.poll(beats, { timeout: 10_000 }).toBeGreaterThan(3);
    witness.close();
    expect(await readTo(2, slow)).toEqual([2]);
  } finally {
    await relay.close();
  }
});

interface Page {
  version: number;
  texts: Map<string, string>;
  gaps: number;
}

/** Reads a stream from here on, strictly: what does not build on what is there is a gap. */
function follow(response: IncomingMessage, since: number, already: Buffer[] = []): Page {
  const page: Page = { version: since, texts: new Map(), gaps: 0 };
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (event) return;
      const { type, version, prev, data: being, beings } = JSON.parse(data);
      if (type === "space-sync") page.texts.clear();
      else if (prev !== undefined && prev !== page.version) page.gaps++;
      for (const { id, content } of beings ?? [being]) page.texts.set(id, content);
      if (type === "space-sync" || prev !== undefined) page.version = version;
    },
  });
  // What is sent is ASCII, so that a character is never cut.
  parser.feed(Buffer.concat(already).toString());
  response.on("data", (bytes: Buffer) => parser.feed(bytes.toString()));
  return page;
}

test("P10: a reader that stops and one that trickles hold up nobody, cost a bounded buffer, and end whole", {
  timeout: 60_000,
}, async () => {
  const CHANGES = 40;
  const patience = { timeout: 30_000, interval: 5 };
  const relay = await startTestRelay(db);
  const responses: IncomingMessage[] = [];
  try {
    const spaceId = await newSpace(relay);
    const open = async () => {
      const response = await openUnread(streamUrl(relay.url, spaceId, 1));
      responses.push(response);
      return response;
    };
    const [stopped, trickling] = [await open(), await open()];
    const healthy = [follow(await open(), 1), follow(await open(), 1)];
    const frames = async () => (await relay.metrics.events.get()).values[0]?.value as number;
    const before = await frames();
    await session.query(
      "insert into public.beings (id, location_id) select $1 || n, $1 from generate_series(1, 3) n",
      [spaceId],
    );
    const drops: Buffer[] = [];
    for (let n = 1; n <= CHANGES; n++) {
      await session.query(
        "update public.beings set content = to_jsonb($2 || repeat('x', $3)) where id = $1 || ($2::int % 3 + 1)",
        [spaceId, `${n}`, 1024 * KiB],
      );
      // Nobody is waited for but the healthy ones, who get each change by itself.
      for (const page of healthy) await expect.poll(() => page.version, patience).toBe(n + 2);
      const drop = trickling.read(KiB) as Buffer | null;
      if (drop) drops.push(drop);
    }
    // What their sockets took, and what may wait for them: far from all.
    const toSlow = (await frames()) - before - healthy.length * (CHANGES + 1);
    expect(toSlow).toBeLessThan(CHANGES);
    const there = await session.query("select id, content from public.beings where location_id = $1", [
      spaceId,
    ]);
    const pages = [...healthy, follow(stopped, 1), follow(trickling, 1, drops)];
    for (const page of pages) {
      await expect.poll(() => page.version, patience).toBe(CHANGES + 2);
      expect(page.gaps).toBe(0);
      for (const { id, content } of there.filter(({ id }) => id !== spaceId)) {
        expect(page.texts.get(id as string) === content, `${id} is as in the database`).toBe(true);
      }
    }
    expect((await relay.metrics.cutOff.get()).values[0]?.value).toBe(0);
  } finally {
    for (const response of responses) response.destroy();
    await relay.close();
  }
});
