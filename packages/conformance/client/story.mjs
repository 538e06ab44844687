import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Replica } from "../replica.mjs";
import { NotRun } from "../report.mjs";

const AT = "2026-01-01T00:00:00.00000";

/** Rows as a relay sends them: message or being `n`. */
export const message = (n, fields = {}) => ({
  id: `m${n}`,
  messageId: `msg_${n}`,
  name: "",
  type: "utterance",
  state: "complete",
  ownerId: null,
  locationId: "here",
  content: [`text ${n}`],
  createdAt: `${AT}${n}Z`,
  modifiedAt: `${AT}${n}Z`,
  ...fields,
});
export const being = (n, fields = {}) => ({
  id: `b${n}`,
  name: `Being ${n}`,
  type: "guest",
  ownerId: null,
  locationId: "here",
  metadata: {},
  properties: {},
  content: [],
  createdAt: `${AT}${n}Z`,
  modifiedAt: `${AT}${n}Z`,
  ...fields,
});
const typeOf = (row) => (row.messageId ? "intention" : "being");
const label = ({ messageId }) => (messageId ? { messageId } : {});
export const created = (row) => ({ type: `${typeOf(row)}-created`, ...label(row), data: row });
export const updated = (row) => ({ type: `${typeOf(row)}-updated`, ...label(row), data: row });
export const deleted = (row) => ({ type: `${typeOf(row)}-deleted`, ...label(row), id: row.id });

/** One group: these events lead from version `prev` to `version`. */
export function group(prev, version, events, epoch = "e1") {
  const end = { prev, cursor: `${epoch}.${version}` };
  return events.map((event, n) => ({ ...event, version, ...(n === events.length - 1 && end) }));
}

export function spaceSync(
  version,
  { epoch = "e1", messages = [], beings = [], entities, hasMore = false } = {},
) {
  return [
    {
      type: "space-sync",
      spaceId: "here",
      version,
      cursor: `${epoch}.${version}`,
      timestamp: `${AT}0Z`,
      beings,
      intentions: messages,
      ...(entities && { entities }),
      lastMessageId: messages.at(-1)?.messageId ?? null,
      hasMore,
    },
  ];
}

/** A case with a client: what is true, and whether the client shows that, and nothing else in between. */
export class Story {
  truth = new Replica();
  #allowed = [];

  constructor(stage, patienceMs, startMs) {
    this.stage = stage;
    this.patienceMs = patienceMs;
    this.startMs = startMs;
  }

  /** The client has come, and shows version 5: messages 1 to 3, and one being. */
  async begin(more = {}) {
    const stream = await this.stage.stream(this.startMs, () => "the client's first stream");
    assert.equal(stream.since, null, "rule 6.2: the first stream is asked for with a cursor");
    await this.tell(
      stream,
      spaceSync(5, { messages: [message(1), message(2), message(3)], beings: [being(1)], ...more }),
    );
    return stream;
  }

  /** The client comes back, with the cursor of what it shows. */
  async again(why, patienceMs = this.patienceMs) {
    const stream = await this.stage.stream(patienceMs, () => `rule ${why}: another stream`);
    assert.equal(stream.since, this.truth.cursor, `rule ${why}: the cursor of the next stream`);
    return stream;
  }

  /** Sends a group and waits until the client shows it. */
  async tell(stream, events) {
    this.happens(events);
    stream.send(events);
    await this.shown();
  }

  /** It is true from now on, and the client may show it. */
  happens(events) {
    const fault = this.truth.apply(events);
    if (fault) throw new Error(fault.join(": "));
    this.#allowed.push(structuredClone({ version: this.truth.version, lists: this.truth.lists }));
  }

  async shown() {
    const last = () => this.stage.reports.at(-1);
    const isShown = () => last() && differenceOf(last(), this.truth) === null;
    await this.stage.until(isShown, this.patienceMs, () => {
      const difference = last() ? differenceOf(last(), this.truth) : "it reported nothing";
      return `the state of version ${this.truth.version} (${difference})`;
    });
  }

  /** Gives a client the time to do something wrong. */
  pause() {
    return sleep(300);
  }

  /** It has opened no stream beside those of the story. */
  stays(why) {
    assert.equal(this.stage.waitingStreams, 0, `rule ${why}: the client opened another stream`);
  }

  /** Every state that the client showed was true at some time. */
  finish() {
    for (const report of this.stage.reports) {
      if (typeof report.version !== "number") continue; // it has nothing yet
      const faults = this.#allowed.map((state) => differenceOf(report, Object.assign(new Replica(), state)));
      assert.ok(
        faults.includes(null),
        `it showed what never was, at version ${report.version}: ${faults.at(-1)}`,
      );
    }
  }

  needs(condition, what) {
    if (!condition) throw new NotRun(`the client ${what}`);
  }
}

function differenceOf(report, truth) {
  if (report.version !== truth.version) return `version ${report.version} instead of ${truth.version}`;
  return Replica.of(report).difference(truth, report.entities !== undefined);
}
