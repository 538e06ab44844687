import { expect, type TestContext } from "vitest";
import type { SpaceClient } from "../../../src/client/index.js";
import type { Being, Intention } from "../../../src/protocol/messages.js";
import type { Relay } from "../../../src/server/relay.js";
import { ModelClient } from "../model/client.js";
import { difference, eventually, follow } from "../relay/follow.js";
import type { Session } from "./session.js";

const SLOW = 40_000;

/** Everybody who reads a space: our client by a stream and by polling, and readers of the raw stream. */
export class Onlookers {
  readonly #clients: SpaceClient[];
  /** A raw reader that stays, and one that is away when the test says so, and comes back with its cursor. */
  readonly stays: ModelClient;
  readonly leaves: ModelClient;

  constructor(
    context: TestContext,
    readonly relay: Relay,
    readonly spaceId: string,
  ) {
    // A proxy that lets no stream through.
    const noStreams: typeof fetch = async (address, init) =>
      String(address).includes("/api/stream") ? new Response("no", { status: 502 }) : fetch(address, init);
    const options = { url: relay.url, spaceId };
    this.#clients = [follow(context, options), follow(context, { ...options, fetch: noStreams })];
    this.stays = new ModelClient(relay.url, spaceId);
    this.leaves = new ModelClient(relay.url, spaceId);
    for (const reader of [this.stays, this.leaves]) {
      reader.connect();
      context.onTestFinished(() => reader.drop());
    }
  }

  /** Space-syncs that the raw readers have got. */
  get spaceSyncs(): number[] {
    return [this.stays, this.leaves].map(({ counts }) => counts.spaceSyncs);
  }

  /** Waits until everybody who is there has what the database has. */
  async equal(session: Session): Promise<void> {
    const [row] = await session.query("select cursor, beings, intentions from sync.snapshot($1, 10000)", [
      this.spaceId,
    ]);
    for (const reader of [this.stays, this.leaves]) {
      if (!reader.isConnected) continue;
      await reader.until(row?.cursor as string, SLOW);
      expect(reader.difference(row?.beings as Being[], row?.intentions as Intention[])).toBeUndefined();
    }
    for (const client of this.#clients) {
      await eventually(async () => expect(await difference(client, this.relay.url)).toBeUndefined());
    }
    expect(this.#clients.map((client) => client.getSnapshot().mode)).toEqual(["realtime", "polling"]);
  }
}

/** Says each text in a transaction of its own. */
export async function say(session: Session, spaceId: string, ...texts: string[]): Promise<void> {
  for (const text of texts) {
    await session.query("insert into public.intentions (id, location_id, name) values ($1, $2, $1)", [
      text,
      spaceId,
    ]);
  }
}
