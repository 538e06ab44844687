import { type ClientRequest, get, type IncomingMessage } from "node:http";
import { isDeepStrictEqual } from "node:util";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { type Being, type Intention, syncEvent } from "../../../src/protocol/messages.js";
import { streamUrl } from "../relay/stream.js";
import {
  apply,
  broken,
  type Change,
  fail,
  inOrder,
  isNoOlder,
  nothing,
  type Space,
  type State,
} from "./state.js";

interface Attempt {
  request?: ClientRequest;
  /** The version at which the relay has us; null while it has yet to say. */
  at: number | null;
  /** Older than our state: what we know already comes again. */
  rewound: boolean;
  pending: Change[];
}

/** Where a client says it stands: with nothing, at its cursor, at an older one, at a message that it has. */
export type Standing = "nothing" | "current" | "old" | "message";

const SAVED = 30;
const RETRY_MS = 20;

/** A client as strict as can be: whatever breaks a promise is its `fault`, and makes every wait reject. */
export class ModelClient {
  readonly counts = { resumes: 0, cuts: 0, events: 0, groups: 0, spaceSyncs: 0, heartbeats: 0, gaps: 0 };
  fault: Error | undefined;
  /** The last refusal of the relay, such as a 503. */
  refusal: { status: number; retryAfter: string | undefined } | undefined;
  #state: State = nothing();
  readonly #saved: State[] = [];
  readonly #looks = new Set<() => void>();
  #attempt: Attempt | undefined;
  #retry: NodeJS.Timeout | undefined;

  /** `epochs`: in the order in which the database had them. Known ones must not come back. */
  constructor(
    public relayUrl: string,
    readonly spaceId: string,
    readonly epochs: string[] = [],
  ) {}

  get cursor(): string | undefined {
    return this.#state.cursor;
  }

  get beings(): ReadonlyMap<string, Being> {
    return this.#state.beings;
  }

  /** The messages, sorted as sync._list('intention', ) sorts them. */
  get intentions(): Intention[] {
    return [...this.#state.intentions.values()].sort(inOrder);
  }

  get isConnected(): boolean {
    return this.#attempt !== undefined;
  }

  /** Opens the stream; `choice` picks the old cursor or the message. Stays connected until dropped. */
  connect(standing: Standing = "current", choice = 0, viaHeader = false): void {
    this.drop();
    if (standing === "nothing") this.#state = nothing();
    if (standing === "old") this.#state = this.#saved[choice % this.#saved.length] ?? this.#state;
    const { cursor } = this.#state;
    const messages = standing === "message" ? this.intentions : [];
    const message = messages[choice % messages.length]?.messageId;
    if (cursor) this.counts.resumes++;
    this.#open(message ?? cursor, message !== undefined, viaHeader);
  }

  drop(): void {
    clearTimeout(this.#retry);
    const attempt = this.#attempt;
    this.#attempt = undefined;
    attempt?.request?.destroy();
  }

  /** Waits until the client stands at a cursor or after it, or any other condition holds. */
  until(wanted: string | (() => boolean), timeoutMs = 20_000): Promise<void> {
    const holds = typeof wanted === "string" ? () => isAtLeast(this.cursor, wanted) : wanted;
    return new Promise((resolve, reject) => {
      const done = (error?: Error) => {
        clearTimeout(timer);
        this.#looks.delete(look);
        if (error) reject(error);
        else resolve();
      };
      const look = () => {
        if (this.fault) done(this.fault);
        else if (holds()) done();
      };
      const timer = setTimeout(
        () => done(new Error(`${this.spaceId}: stands at ${this.cursor}, not at ${wanted}`)),
        timeoutMs,
      );
      this.#looks.add(look);
      look();
    });
  }

  /** What differs from the database's state of the space (all of its messages); undefined when nothing does. */
  difference(beings: Being[], intentions: Intention[]): unknown {
    if (!isDeepStrictEqual(this.beings, new Map(beings.map((being) => [being.id, being])))) {
      return { beings: { client: [...this.beings.values()], database: beings } };
    }
    // What a snapshot left out is not known here, unless it has changed since.
    const { horizon, intentions: known } = this.#state;
    const mine = intentions.filter(
      (message) => known.has(message.id) || !horizon || inOrder(message, horizon) >= 0,
    );
    if (isDeepStrictEqual(this.intentions, mine)) return undefined;
    return { horizon, intentions: { client: this.intentions, database: mine } };
  }

  #open(since: string | undefined, rewound: boolean, viaHeader: boolean): void {
    const at = rewound || !since ? null : versionOf(since);
    const attempt: Attempt = { at, rewound, pending: [] };
    this.#attempt = attempt;
    const url = streamUrl(this.relayUrl, this.spaceId, viaHeader ? undefined : since);
    const headers = { Accept: "text/event-stream", ...(viaHeader && since && { "Last-Event-ID": since }) };
    attempt.request = get(url, { agent: false, headers }, (response) => this.#read(attempt, response));
    attempt.request.on("error", () => this.#lost(attempt));
  }

  #read(attempt: Attempt, response: IncomingMessage): void {
    response.on("error", () => {}).once("close", () => this.#lost(attempt));
    if (response.statusCode !== 200) {
      const { statusCode: status = 0, headers } = response;
      this.refusal = { status, retryAfter: headers["retry-after"] };
      this.#check(attempt, () => status === 503 || fail(`refused with ${status}`));
      response.resume();
      return;
    }
    const parser = createParser({
      onEvent: (message) => this.#check(attempt, () => this.#hear(attempt, message)),
    });
    response.setEncoding("utf8").on("data", (text: string) => parser.feed(text));
  }

  /** Not dropped by us: comes back with its own cursor, as a browser does. */
  #lost(attempt: Attempt): void {
    if (attempt !== this.#attempt) return;
    this.counts.cuts++;
    this.#retry = setTimeout(() => this.connect(this.cursor ? "current" : "nothing"), RETRY_MS);
  }

  #check(attempt: Attempt, work: () => unknown): void {
    if (attempt !== this.#attempt || this.fault) return;
    try {
      work();
    } catch (error) {
      this.fault = error as Error;
    }
    for (const look of this.#looks) look();
  }

  #hear(attempt: Attempt, message: EventSourceMessage): void {
    if (message.event === "heartbeat") {
      this.#heartbeat(attempt, JSON.parse(message.data));
      return;
    }
    if (message.event) fail(`event of unknown name ${message.event}`);
    const event = syncEvent.parse(JSON.parse(message.data));
    if (message.id !== event.cursor) fail(`id: ${message.id} with cursor ${event.cursor}`);
    this.counts.events++;
    if (event.type === "space-sync") {
      this.#snapshot(attempt, event);
      return;
    }
    attempt.pending.push(event);
    if (event.cursor !== undefined) this.#group(attempt, attempt.pending.splice(0));
  }

  #heartbeat(attempt: Attempt, { version }: { version: number | null }): void {
    this.counts.heartbeats++;
    if (attempt.pending.length > 0) fail("a heartbeat amid a transaction");
    if (version === null || version === attempt.at) return;
    if (attempt.at !== null || !attempt.rewound) fail(`heartbeat at ${version}, not ${attempt.at}`);
    this.#rewind(attempt, version);
  }

  #snapshot(attempt: Attempt, event: Space): void {
    const { cursor: own } = this.#state;
    if (event.spaceId !== this.spaceId) fail(`snapshot of ${event.spaceId}`);
    if (attempt.pending.length > 0) fail("a snapshot amid a transaction");
    if (event.version !== versionOf(event.cursor)) fail(`version ${event.version} with ${event.cursor}`);
    if (own && rank(this.epochs, own) > rank(this.epochs, event.cursor)) fail(`back to ${event.cursor}`);
    if (own && epochOf(own) === epochOf(event.cursor) && event.version < versionOf(own)) {
      fail(`a step back: from ${own} to a snapshot at ${event.version}`);
    }
    this.counts.spaceSyncs++;
    const beings = new Map(event.beings.map((being) => [being.id, being]));
    const intentions = new Map(event.intentions.map((intention) => [intention.id, intention]));
    if (beings.size < event.beings.length || intentions.size < event.intentions.length) fail("doubles");
    const newest = event.intentions.at(-1)?.messageId ?? null;
    if (event.lastMessageId !== newest) fail(`lastMessageId ${event.lastMessageId}, not ${newest}`);
    const horizon = event.hasMore ? (event.intentions[0] ?? null) : null;
    this.#move({ cursor: event.cursor, beings, intentions, horizon });
    Object.assign(attempt, { at: event.version, rewound: false });
    if (!isDeepStrictEqual(this.intentions, event.intentions)) fail("a snapshot that is not sorted");
  }

  #group(attempt: Attempt, events: Change[]): void {
    const { cursor: own } = this.#state;
    const { prev, cursor } = events.at(-1) as Change & { cursor: string };
    if (!own) throw broken("a group before any snapshot");
    const [ownVersion, end] = [versionOf(own), versionOf(cursor)];
    if (prev === undefined) throw broken("a group without prev");
    const isForeign = epochOf(cursor) !== epochOf(own);
    if (isForeign && !attempt.rewound) fail(`prev ${prev}, ${own} to ${cursor}`);
    if ((isForeign || attempt.at === null) && !this.#rewind(attempt, isForeign ? Infinity : prev)) return;
    if (prev !== attempt.at) fail(`a gap: prev ${prev}, but at ${attempt.at}`);
    if (end <= prev) fail(`a step back: from ${prev} to ${end}`);
    const next = {
      ...this.#state,
      beings: new Map(this.beings),
      intentions: new Map(this.#state.intentions),
    };
    let last = prev;
    for (const event of events) {
      if (event !== events.at(-1) && event.prev !== undefined) fail("prev before the end of a group");
      if (event.version < last || event.version <= prev || event.version > end)
        fail(`${event.version} in ${cursor}`);
      last = event.version;
      if (event.version > ownVersion) apply(next, event);
      else if (end >= ownVersion && !isNoOlder(next, event))
        fail("what was known comes again as it was before");
    }
    attempt.at = end;
    this.counts.groups++;
    if (end >= ownVersion) {
      attempt.rewound = false;
      this.#move({ ...next, cursor });
    }
  }

  /** The relay has us at this version: false when it is beyond ours: a message has left and come back, or is of
   *  another epoch. A message ID is no cursor, and this is how its user finds out. */
  #rewind(attempt: Attempt, version: number): boolean {
    if (!attempt.rewound) fail(`events from ${version} on where a snapshot is due`);
    attempt.at = version;
    if (version <= versionOf(this.cursor as string)) return true;
    this.counts.gaps++;
    this.connect("current");
    return false;
  }

  #move(state: State): void {
    this.#state = state;
    this.#saved.push(state);
    if (this.#saved.length > SAVED) this.#saved.shift();
  }
}

function rank(epochs: string[], cursor: string): number {
  const epoch = epochOf(cursor);
  if (!epochs.includes(epoch)) epochs.push(epoch);
  return epochs.indexOf(epoch);
}

const epochOf = (cursor: string) => cursor.slice(0, cursor.indexOf("."));
const versionOf = (cursor: string) => Number(cursor.slice(cursor.indexOf(".") + 1));

/** Cursors are <epoch>.<version>. */
function isAtLeast(cursor: string | undefined, wanted: string): boolean {
  const [epoch, version] = cursor?.split(".") ?? [];
  const [wantedEpoch, wantedVersion] = wanted.split(".");
  return epoch === wantedEpoch && Number(version) >= Number(wantedVersion);
}
