import { get } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { createParser } from "eventsource-parser";

/** A pause before it comes back, in milliseconds; each client has another. */
const BACK_MS = 100;
const BACK_SPREAD_MS = 200;

/**
 * A client that follows one space by the book: it takes a group when its cursor has come, comes back with that
 * cursor when its stream ends, to the next of its addresses, and counts what it should not see.
 */
export class Follower {
  /** The number that the next message must have; each has one more than the one before. */
  next = 0;
  lost = 0;
  /** Missed, but older than what a complete state has: to be had page by page. */
  older = 0;
  /** The longest time from the end of a stream to what came by the next, in milliseconds. */
  awayMs = 0;
  doubled = 0;
  reconnects = 0;
  snapshots = 0;
  cursor = "";
  /** The messages that it knows, by their IDs. */
  messages = new Map();
  /** How many it has got of which address. */
  delivered = new Map();
  #urls;
  #onChange;
  #group = [];
  #request;
  #closed = false;
  #leftAt = 0;

  constructor(urls, onChange = () => {}) {
    this.#urls = urls;
    this.#onChange = onChange;
  }

  /** Resolves to the response when the stream is there. */
  open() {
    const [url] = this.#urls;
    const headers = { Accept: "text/event-stream", ...(this.cursor && { "Last-Event-ID": this.cursor }) };
    return new Promise((resolve, reject) => {
      this.#group = [];
      this.#request = get(url, { agent: false, headers }, (response) => {
        if (response.statusCode !== 200) return reject(new Error(`a stream answers ${response.statusCode}`));
        const parser = createParser({ onEvent: (event) => this.#take(event, url) });
        response.setEncoding("utf8");
        response.on("data", (text) => parser.feed(text));
        response.on("error", () => {}); // "close" follows
        resolve(response);
      });
      this.#request.on("error", reject);
      this.#request.once("close", () => void this.#comeBack());
    });
  }

  /** Ends the stream as a client does that has given it up: it comes back, to `urls` if given. */
  giveUp(urls = this.#urls) {
    this.#urls = urls;
    this.#request.destroy();
  }

  close() {
    this.#closed = true;
    this.#request.destroy();
  }

  async #comeBack() {
    if (this.#closed) return;
    this.reconnects++;
    this.#leftAt ||= performance.now();
    this.#urls = [...this.#urls.slice(1), this.#urls[0]];
    await delay(BACK_MS + Math.random() * BACK_SPREAD_MS);
    // What fails closes, and so comes back.
    if (!this.#closed) await this.open().catch(() => {});
  }

  #take({ id, event, data }, url) {
    if (event) return; // a heartbeat
    this.#group.push(JSON.parse(data));
    if (!id) return;
    if (this.#leftAt) this.awayMs = Math.max(this.awayMs, performance.now() - this.#leftAt);
    this.#leftAt = 0;
    for (const item of this.#group) this.#apply(item);
    this.delivered.set(url, (this.delivered.get(url) ?? 0) + this.#group.length);
    this.#group = [];
    this.cursor = id;
    this.#onChange();
  }

  #apply({ type, data, intentions, hasMore }) {
    if (type === "space-sync") {
      this.snapshots++;
      this.messages = new Map(intentions.map((message) => [message.id, message]));
      if (hasMore) this.#skipTo(numberOf(intentions[0]));
      for (const message of intentions) if (numberOf(message) >= this.next) this.#count(message);
    } else if (type === "intention-created") {
      this.messages.set(data.id, data);
      this.#count(data);
    }
  }

  #skipTo(number) {
    this.older += Math.max(0, number - this.next);
    this.next = Math.max(this.next, number);
  }

  #count(message) {
    const number = numberOf(message);
    if (number < this.next) this.doubled++;
    else this.lost += number - this.next;
    this.next = Math.max(this.next, number + 1);
  }
}

/** As load/calls.mjs marks it. */
const numberOf = ({ content }) => Number(String(content[0]).slice(-8));
