import { createParser } from "eventsource-parser";
import { epochOf, Replica } from "../replica.mjs";

/** One open stream. What comes is checked against the rules of groups (section 5), and applied as they end. */
export class Reader {
  /** SSE messages as they came, heartbeats too. */
  messages = [];
  beats = [];
  /** Events of no group: of a stream of many spaces. */
  notices = [];
  /** Whole groups, each with its `spaceId` and `events`. */
  groups = [];
  retry = undefined;
  isOver = false;
  #fault = null;
  #replicas = new Map();
  #begun = new Map();
  #looks = new Set();
  #closing = new AbortController();

  /** `spaces`: each with the cursor, or null, that it is followed from. `isMany`: each event says its space. */
  constructor(spaces, isMany, patienceMs) {
    this.spaces = spaces;
    this.isMany = isMany;
    this.patienceMs = patienceMs;
  }

  /** Throws what the relay refuses with. `known`: what the client has already, in a stream of one space. */
  async open(api, path, { method, body, headers = {}, known } = {}) {
    if (known) this.#replicas.set(Object.keys(this.spaces)[0], known);
    const { signal } = this.#closing;
    const asked = { method, body, headers: { Accept: "text/event-stream", ...headers }, signal };
    this.response = await api.ask(path, asked);
    if (!this.response.ok) {
      throw new Error(`${path} was refused with ${this.response.status}: ${await this.response.text()}`);
    }
    void this.#read();
    return this;
  }

  close() {
    this.#closing.abort();
  }

  replica(spaceId = Object.keys(this.spaces)[0]) {
    if (!this.#replicas.has(spaceId)) this.#replicas.set(spaceId, new Replica());
    return this.#replicas.get(spaceId);
  }

  /** The events of all groups. */
  get events() {
    return this.groups.flatMap(({ events }) => events);
  }

  /** Waits until a condition holds. Throws what rule the stream breaks, or that it did not come. */
  async until(condition, what) {
    const end = Date.now() + this.patienceMs;
    for (;;) {
      if (this.#fault) throw new Error(this.#fault);
      if (await condition()) return;
      const left = end - Date.now();
      if (left <= 0) throw new Error(`${what} did not come within ${this.patienceMs / 1_000} s`);
      if (this.isOver) throw new Error(`the stream ended before this came: ${what}`);
      await new Promise((resolve) => {
        const look = () => {
          clearTimeout(timer);
          this.#looks.delete(look);
          resolve();
        };
        const timer = setTimeout(look, Math.min(left, 100));
        this.#looks.add(look);
      });
    }
  }

  /** Waits until its replica is at a version. */
  async reaches(version, spaceId) {
    await this.until(() => this.replica(spaceId).version >= version, `version ${version}`);
    return this.replica(spaceId);
  }

  async #read() {
    const parser = createParser({
      onEvent: (message) => this.#take(message),
      onRetry: (retry) => {
        this.retry ??= retry;
      },
    });
    const decoder = new TextDecoder();
    try {
      for await (const chunk of this.response.body) parser.feed(decoder.decode(chunk, { stream: true }));
    } catch (error) {
      if (error instanceof SyntaxError) this.#break("4.3", `a message is not JSON: ${error.message}`);
    }
    this.isOver = true;
    this.#look();
  }

  #take(message) {
    this.messages.push(message);
    if (message.event === "heartbeat") this.beats.push(JSON.parse(message.data));
    else if (!message.event) this.#event(JSON.parse(message.data), message.id);
    this.#look();
  }

  #event(event, id) {
    if (this.isMany && (event.type === "stream" || event.type === "space-refused")) {
      this.notices.push(event);
      return;
    }
    const spaceId = this.isMany ? event.spaceId : Object.keys(this.spaces)[0];
    if (spaceId === undefined) return this.#break("8.3", `an event has no spaceId: ${event.type}`);
    const wanted = this.isMany ? undefined : event.cursor;
    if (id !== wanted)
      this.#break(this.isMany ? "8.3" : "5.2", `the SSE id is ${id}, the cursor ${event.cursor}`);
    if (event.cursor === undefined && event.prev !== undefined) this.#break("5.1", "prev without cursor");
    const events = [...(this.#begun.get(spaceId) ?? []), event];
    this.#begun.set(spaceId, event.cursor === undefined ? events : []);
    if (event.cursor !== undefined) this.#group(spaceId, events);
  }

  #group(spaceId, events) {
    const replica = this.replica(spaceId);
    const fault = faultOf(replica, events) ?? replica.apply(events);
    if (fault) this.#break(...fault);
    this.groups.push({ spaceId, events });
  }

  #break(rule, how) {
    this.#fault ??= `rule ${rule} is broken: ${how}`;
  }

  #look() {
    for (const look of [...this.#looks]) look();
  }
}

/** The rule of section 5 that a group breaks, and how, for a reader who has this; or null. */
function faultOf(replica, events) {
  const last = events.at(-1);
  const { type, version, prev, cursor } = last;
  const isNew = replica.version < 0 || epochOf(cursor) !== replica.epoch;
  if (cursor !== `${epochOf(cursor)}.${version}`) return ["5.3", `cursor ${cursor} at version ${version}`];
  if (events.some((event) => event.type === "space-sync") && events.length > 1) {
    return ["5.7", "a space-sync is in a group with others"];
  }
  if (type === "space-sync") {
    if (!isNew && version < replica.version) {
      return ["5.7", `a space-sync of version ${version} after version ${replica.version}`];
    }
    return null;
  }
  if (prev === undefined) return ["5.1", `the last event of a group has no prev: ${type}`];
  if (isNew) return ["4.6", `events after ${prev} for a reader who has nothing of this epoch`];
  if (prev !== replica.version) return ["5.3", `prev is ${prev} after version ${replica.version}`];
  if (version <= prev) return ["5.3", `version ${version} builds on ${prev}`];
  let before = prev + 1;
  for (const event of events) {
    if (event.version < before) return ["5.3", `version ${event.version} where ${before} is the least`];
    before = event.version;
  }
  return null;
}
