import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Replica } from "../replica.mjs";
import { NotRun } from "../report.mjs";
import { Reader } from "./reader.mjs";

/** What a case works with: a relay, spaces of its own, readers that are closed when it ends. */
export class World {
  #opened = new Set();

  constructor(api, database, patienceMs) {
    this.api = api;
    this.database = database;
    this.patienceMs = patienceMs;
  }

  close() {
    for (const reader of this.#opened) reader.close();
  }

  /** An ID that nobody else has. */
  newId(kind = "conformance") {
    return `${kind}-${randomUUID()}`;
  }

  /** A space of its own. */
  async space() {
    const beingId = this.newId();
    await this.api.change("beings", {
      action: "create",
      beingId,
      data: { type: "space", name: "Conformance" },
    });
    // Recorded, or its first version would be one more group in what a case counts (rule 5.7).
    const end = Date.now() + this.patienceMs;
    while ((await this.api.state(beingId)).version === 0 && Date.now() < end) await sleep(50);
    return beingId;
  }

  /** Says something in a space: `{data, version}`. */
  say(spaceId, text = "said", intentionId = randomUUID()) {
    return this.api.change("intentions", {
      action: "create",
      spaceId,
      intentionId,
      data: { content: [text] },
    });
  }

  update(intentionId, data) {
    return this.api.change("intentions", { action: "update", intentionId, data });
  }

  remove(intentionId) {
    return this.api.change("intentions", { action: "delete", intentionId });
  }

  /** Follows one space, from `since` or `lastEventId`. `known`: what this client has at that cursor. */
  follow(spaceId, { since, lastEventId, appends = false, known } = {}) {
    const query = new URLSearchParams({ spaceId, ...(since && { since }), ...(appends && { appends: "1" }) });
    const headers = lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId };
    return this.#open({ [spaceId]: since }, false, `/api/stream?${query}`, { headers, known });
  }

  /** Follows many spaces on one stream. */
  async followMany(spaces) {
    const reader = await this.#open(spaces, true, "/api/stream", { method: "POST", body: { spaces } });
    await reader.until(() => reader.notices.length > 0, "the stream's ID");
    return reader;
  }

  #open(spaces, isMany, path, asked) {
    const reader = new Reader(spaces, isMany, this.patienceMs);
    this.#opened.add(reader);
    return reader.open(this.api, path, asked);
  }

  /** Follows, and has the first space-sync. */
  async followed(spaceId, options) {
    const reader = await this.follow(spaceId, options);
    await reader.reaches(0);
    return reader;
  }

  /** Waits until a reader has what the relay says that the space is. */
  async equal(reader, spaceId) {
    let fault = "nothing came";
    const isEqual = async () => {
      const truth = Replica.of(await this.api.state(spaceId));
      const { version, cursor } = reader.replica(spaceId);
      fault =
        cursor === truth.cursor
          ? reader.replica(spaceId).difference(truth)
          : `at version ${version} of ${truth.version}`;
      return fault === null;
    };
    await reader.until(isEqual, "the state of the space").catch((error) => {
      throw new Error(fault === null ? error.message : `${error.message}; ${fault}`);
    });
  }

  /** SQL, for cases that need it. */
  sql(text, values) {
    if (!this.database) throw new NotRun("needs --database");
    return this.database.query(text, values);
  }
}
