import { setTimeout as sleep } from "node:timers/promises";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { epochOf } from "../../../src/client/replica.js";
import type { Being, Intention, SyncEvent } from "../../../src/protocol/messages.js";
import { type SpaceTruth, unlike } from "./truth.js";
import type { Witness } from "./witness.js";

const SILENCE_MS = 6_000;
const byId = <T extends { id: string }>(rows: Iterable<T>) =>
  [...rows].sort((a, b) => (a.id < b.id ? -1 : 1));

/** Reads a stream without our client, and checks each line of it: what builds on what, and what comes twice. */
export class RawReader {
  #cursor = "";
  #version = 0;
  readonly #beings = new Map<string, Being>();
  readonly #intentions = new Map<string, Intention>();
  /** Messages up to this moment were not all sent: there are too many. */
  #from = "";
  #group: SyncEvent[] = [];
  /** Nothing has come yet on this connection. */
  #isFresh = true;
  readonly #closing = new AbortController();

  constructor(
    readonly name: string,
    readonly url: string,
    readonly spaceId: string,
    readonly witness: Witness,
  ) {
    void this.#read();
  }

  close(): void {
    this.#closing.abort();
  }

  difference(truth: SpaceTruth): string | undefined {
    if (this.#version !== truth.version) return `is at version ${this.#version} of ${truth.version}`;
    const wanted = truth.intentions.filter(
      ({ id, createdAt }) => createdAt > this.#from || this.#intentions.has(id),
    );
    return (
      unlike("beings", byId(this.#beings.values()), byId(truth.beings)) ??
      unlike("messages", byId(this.#intentions.values()), byId(wanted))
    );
  }

  async #read(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      const connection = new AbortController();
      const signal = AbortSignal.any([connection.signal, this.#closing.signal]);
      try {
        await this.#follow(connection, signal);
      } catch {
        // refused, cut or silent: it comes back
      }
      await sleep(250, undefined, { signal: this.#closing.signal }).catch(() => {});
    }
  }

  async #follow(connection: AbortController, signal: AbortSignal): Promise<void> {
    const url = new URL("/api/stream", this.url);
    url.searchParams.set("spaceId", this.spaceId);
    if (this.#cursor) url.searchParams.set("since", this.#cursor);
    this.#group = [];
    this.#isFresh = true;
    let watch = setTimeout(() => connection.abort(), SILENCE_MS);
    try {
      const response = await fetch(url, { headers: { Accept: "text/event-stream" }, signal });
      if (response.status === 500) this.witness.object(this.name, `gets 500: ${await response.text()}`);
      if (!response.ok) return;
      const parser = createParser({
        onEvent: (message) => {
          if (!message.event && !this.#event(message)) connection.abort();
        },
      });
      const decoder = new TextDecoder();
      for await (const bytes of response.body ?? []) {
        clearTimeout(watch);
        watch = setTimeout(() => connection.abort(), SILENCE_MS);
        parser.feed(decoder.decode(bytes, { stream: true }));
      }
    } finally {
      clearTimeout(watch);
      connection.abort();
    }
  }

  /** False when it does not fit: then the reader comes back with its own cursor. */
  #event({ id, data }: EventSourceMessage): boolean {
    const event = JSON.parse(data) as SyncEvent;
    this.witness.count("events");
    if (event.version <= this.#version && event.type !== "space-sync") {
      this.witness.count("events doubled");
      this.witness.object(
        this.name,
        `gets version ${event.version} again, at ${this.#version}: ${data.slice(0, 300)}`,
      );
    }
    this.#group.push(event);
    if (id !== event.cursor)
      this.witness.object(this.name, `gets cursor ${event.cursor} on the line of id ${id}`);
    if (!event.cursor) return true;
    const group = this.#group;
    this.#group = [];
    const isFirst = this.#isFresh;
    this.#isFresh = false;
    if (this.#cursor && epochOf(event.cursor) !== epochOf(this.#cursor)) {
      this.witness.object(this.name, `gets another epoch: ${event.cursor} after ${this.#cursor}`);
    }
    if (event.type === "space-sync") {
      if (event.version < this.#version) {
        this.witness.object(this.name, `is sent back from ${this.#version} to ${event.version}`);
      }
      if (isFirst && this.#version > 0) this.witness.count("space-syncs on coming back");
      if (isFirst && event.version === this.#version) this.witness.count("space-syncs without need");
    } else if (event.prev !== this.#version) {
      this.witness.count("gaps noticed");
      return false;
    }
    for (const part of group) this.#apply(part);
    this.#version = event.version;
    this.#cursor = event.cursor;
    return true;
  }

  #apply(event: SyncEvent): void {
    switch (event.type) {
      case "space-sync":
        this.#beings.clear();
        this.#intentions.clear();
        this.#from = event.hasMore ? (event.intentions[0]?.createdAt ?? "") : "";
        for (const being of event.beings) this.#put(this.#beings, being);
        for (const intention of event.intentions) this.#put(this.#intentions, intention);
        break;
      case "being-created":
      case "being-updated":
        this.#put(this.#beings, event.data);
        break;
      case "intention-created":
      case "intention-updated":
        this.#put(this.#intentions, event.data);
        break;
      case "being-deleted":
        this.#beings.delete(event.id);
        break;
      case "intention-deleted":
        this.#intentions.delete(event.id);
        break;
    }
  }

  #put<T extends { id: string; name: string }>(rows: Map<string, T>, row: T): void {
    this.witness.see(this.name, row);
    rows.set(row.id, row);
  }
}
