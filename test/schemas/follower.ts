import type { TestContext } from "vitest";
import { expect } from "vitest";
import { closing, eventually } from "../support/relay/follow.js";
import { openStream, streamUrl, type TestStream } from "../support/relay/stream.js";

/** A row as clients see it. */
export type WireRow = Record<string, unknown> & { id: string };
type Rows = Map<string, Map<string, WireRow>>;

const LISTS: Record<string, string> = { beings: "being", intentions: "intention" };

/** A client that knows no type: it has what the events of a space say, by type and ID. */
export class Follower {
  readonly rows: Rows = new Map();
  /** As it came: for what must not be in it. */
  raw = "";
  version = 0;
  cursor = "";
  #applied = 0;

  private constructor(
    readonly relayUrl: string,
    readonly spaceId: string,
    readonly stream: TestStream,
  ) {}

  static async of(
    context: Pick<TestContext, "onTestFinished">,
    relayUrl: string,
    spaceId: string,
    since?: string,
  ): Promise<Follower> {
    // A space is there when its first row is recorded.
    await eventually(async () => expect((await fetch(stateUrl(relayUrl, spaceId))).status).toBe(200));
    const follower = new Follower(relayUrl, spaceId, await openStream(streamUrl(relayUrl, spaceId, since)));
    closing(context, follower.stream);
    expect(follower.stream.response.status).toBe(200);
    return follower;
  }

  /** What came so far. */
  // biome-ignore lint/suspicious/noExplicitAny: events of any type
  get events(): any[] {
    return this.stream.messages.filter(({ event }) => !event).map(({ data }) => JSON.parse(data));
  }

  /** The rows of a type, by their IDs. */
  list(type: string): WireRow[] {
    this.#catchUp();
    return sorted([...(this.rows.get(type)?.values() ?? [])]);
  }

  /** Waits until it has what the relay says that the space has. */
  async equal(): Promise<void> {
    await eventually(async () => {
      const state = (await (await fetch(stateUrl(this.relayUrl, this.spaceId))).json()) as {
        version: number;
      };
      const wanted = listsOf(state);
      this.#catchUp();
      const has = [...this.rows].filter(([, rows]) => rows.size > 0).map(([type]) => [type, this.list(type)]);
      expect({ version: this.version, ...Object.fromEntries(has) }).toEqual({
        version: state.version,
        ...Object.fromEntries([...wanted].filter(([, rows]) => rows.length > 0)),
      });
    });
  }

  #catchUp(): void {
    const events = this.events;
    for (const event of events.slice(this.#applied)) this.#apply(event);
    this.raw = JSON.stringify(this.stream.messages);
    this.#applied = events.length;
  }

  // biome-ignore lint/suspicious/noExplicitAny: an event of any type
  #apply(event: any): void {
    if (event.type === "space-sync") {
      this.rows.clear();
      for (const [type, list] of listsOf(event))
        this.rows.set(type, new Map(list.map((row) => [row.id, row])));
    } else {
      const [type, verb] = event.type.split("-") as [string, string];
      if (!this.rows.has(type)) this.rows.set(type, new Map());
      if (verb === "deleted") this.rows.get(type)?.delete(event.id);
      else this.rows.get(type)?.set(event.data.id, event.data);
    }
    this.version = event.version;
    if (event.cursor) this.cursor = event.cursor;
  }
}

function stateUrl(relayUrl: string, spaceId: string): URL {
  const url = new URL("/api/sync", relayUrl);
  url.searchParams.set("spaceId", spaceId);
  url.searchParams.set("limit", "10000");
  return url;
}

/** The lists of a state or a space-sync, by type. */
function listsOf(state: object): Map<string, WireRow[]> {
  const { entities = {}, ...rest } = state as { entities?: Record<string, WireRow[]> };
  const ours = Object.entries(rest).flatMap(([name, list]) =>
    LISTS[name] ? [[LISTS[name], list as unknown as WireRow[]] as const] : [],
  );
  return new Map([...ours, ...Object.entries(entities)].map(([type, list]) => [type, sorted(list)]));
}

function sorted(rows: readonly WireRow[]): WireRow[] {
  return [...rows].sort((a, b) => (a.id < b.id ? -1 : 1));
}
