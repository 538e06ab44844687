import { SpacefeedError } from "../protocol/errors.js";
import { type Api, noAnswer } from "./api.js";
import { isOurs } from "./lists.js";
import { defined, type Mutation, type Stored } from "./mutation.js";
import { problemOf } from "./problem.js";
import type { StoreAction } from "./store.js";

export interface OutboxEvents {
  /** A change was stored or refused, or has waited for long. */
  tell(action: StoreAction): void;
  /** What waits has changed. */
  changed(mutations: readonly Mutation[]): void;
}

/** A change on its way. Several updates of one row that wait are one. */
interface Queued {
  mutation: Mutation;
  /** The changes that it carries, with those who wait for them. */
  readonly carried: {
    readonly key: string;
    resolve(row: Stored): void;
    reject(error: SpacefeedError): void;
  }[];
  /** It may have arrived already: the answer to an earlier attempt was lost. */
  isRetry: boolean;
}

const LONGEST_PAUSE_MS = 5_000;
/** A change that waits for so long says so. */
const LATE_MS = 5_000;

/**
 * Sends changes one after the other, in the order in which they were made, as often as it takes. Each has an
 * ID that the client made, so that sending it again is safe. Only a refusal ends a change otherwise, and neither a token
 * that has expired nor a fault on the other side (5xx) is one.
 */
export class Outbox {
  readonly #api: Api;
  readonly #spaceId: string;
  readonly #events: OutboxEvents;
  readonly #queue: Queued[] = [];
  #sending: Queued | undefined;
  #isClosed = false;
  #wake: (() => void) | undefined;
  /** The relay came back while an attempt was under way, which may fail because of what was before. */
  #isHurried = false;

  constructor(api: Api, spaceId: string, events: OutboxEvents) {
    this.#api = api;
    this.#spaceId = spaceId;
    this.#events = events;
  }

  /** Resolves with the stored row; rejects with a SpacefeedError when the change is refused. */
  add(mutation: Mutation, isRetry: boolean): Promise<Stored> {
    let last = this.#queue.at(-1);
    if (last && last !== this.#sending && isMergeable(last.mutation, mutation)) {
      const fields = { ...last.mutation.fields, ...defined(mutation.fields) };
      last.mutation = { ...last.mutation, fields } as Mutation;
    } else {
      last = { mutation, carried: [], isRetry };
      this.#queue.push(last);
    }
    const { carried } = last;
    const stored = new Promise<Stored>((resolve, reject) => {
      carried.push({ key: mutation.key, resolve, reject });
    });
    this.#changed();
    if (!this.#sending) void this.#sendAll();
    return stored;
  }

  /** The relay may be back: whatever pauses goes on now. */
  retryNow(): void {
    this.#isHurried = true;
    this.#wake?.();
  }

  /** What is there gets one attempt more. What cannot be sent then stays where it is kept, if it is. */
  close(): void {
    this.#isClosed = true;
    this.#wake?.();
  }

  #changed(): void {
    this.#events.changed(this.#queue.map(({ mutation }) => mutation));
  }

  async #sendAll(): Promise<void> {
    for (let first = this.#queue[0]; first; first = this.#queue[0]) {
      this.#sending = first;
      const tell = await this.#send(first);
      if (!tell) break;
      this.#changed();
      tell();
    }
    this.#sending = undefined;
    const error = new SpacefeedError(
      "unavailable",
      "not sent: the client was closed while the relay was away",
    );
    for (const { reject } of this.#queue.flatMap(({ carried }) => carried)) reject(error);
  }

  /** Resolves to what tells those who wait that it was stored or refused; undefined when closing has ended it. */
  async #send(queued: Queued): Promise<(() => void) | undefined> {
    let obstacle: SpacefeedError | undefined;
    let isLate = false;
    const sayWhy = () => {
      isLate = true;
      const { code, message } = obstacle ?? noAnswer();
      const why = { code, message: `a change waits to be sent: ${message}` };
      this.#events.tell({ type: "delayed", delay: problemOf(why, queued.mutation.at) });
    };
    const late = setTimeout(sayWhy, LATE_MS);
    try {
      for (let attempt = 0; ; attempt++) {
        this.#isHurried = false;
        try {
          const { data, version: told } = await this.#post(queued);
          const version = told ?? (await this.#versionHere());
          this.#queue.shift();
          this.#events.tell({ type: "stored", keys: keysOf(queued), row: data, version });
          return () => {
            for (const { resolve } of queued.carried) resolve(data);
          };
        } catch (thrown) {
          const error = thrown as SpacefeedError;
          if (!isNoAnswer(error)) return this.#refuse(queued, error);
          queued.isRetry = true;
          if (this.#isClosed) return;
          obstacle = error;
          if (isLate) sayWhy();
          await this.#pause(attempt);
        }
      }
    } finally {
      clearTimeout(late);
      if (isLate) this.#events.tell({ type: "delayed", delay: null });
    }
  }

  /** A row is changed wherever it is, first `here`. `version`: null where it is not known to be of our space. */
  async #post(queued: Queued, here = true): Promise<{ data: Stored; version: number | null }> {
    const { mutation, isRetry } = queued;
    const { kind, action, id, fields } = mutation;
    const ask = async (action: string, more?: { spaceId?: string }) => {
      const body = isOurs(kind) ? { [`${kind}Id`]: id } : { type: kind, id };
      const path = isOurs(kind) ? (`${kind}s` as const) : "entities";
      const { data, version } = await this.#api.post<Stored>(path, { action, ...body, ...more });
      const isHere = isOurs(kind) ? data.locationId === this.#spaceId : more?.spaceId !== undefined;
      return { data, version: isHere ? version : null };
    };
    // What is of ours says itself where it is.
    const isPlaced = isOurs(kind) ? action !== "create" || fields.locationId !== undefined : !here;
    const where = isPlaced ? {} : { spaceId: this.#spaceId };
    try {
      return await ask(action, { ...where, ...(action !== "delete" && { data: fields }) });
    } catch (error) {
      const { code } = error as SpacefeedError;
      if (code === "not_found" && action !== "create" && !isPlaced) return this.#post(queued, false);
      // It had arrived: somebody has changed or deleted it since.
      if (isRetry && code === "conflict" && action === "create") return ask("get");
      if (isRetry && code === "not_found" && action === "delete") {
        return { data: { ...fields, id, locationId: null }, version: null };
      }
      throw error;
    }
  }

  /** Where the row is now, versions are others: this is one of our space, at or after the change. */
  async #versionHere(): Promise<number | null> {
    const question = { action: "list", spaceId: this.#spaceId, limit: 1 };
    try {
      return (await this.#api.post("beings", question)).version;
    } catch (error) {
      // A refusal here is none of the change, which is stored: it is shown as the space says from now on.
      if (!isNoAnswer(error) || this.#isClosed) return null;
      throw error;
    }
  }

  #refuse(queued: Queued, error: SpacefeedError): () => void {
    const { id, kind, action } = queued.mutation;
    // What was to be done next with what is not there cannot be done either, and is no fault of its own.
    const isLost = ({ mutation }: Queued) =>
      action === "create" && mutation.id === id && mutation.kind === kind;
    const later = this.#queue.splice(0).slice(1);
    this.#queue.push(...later.filter((one) => !isLost(one)));
    const lost = [queued, ...later.filter(isLost)];
    this.#events.tell({ type: "refused", keys: lost.flatMap(keysOf), error: problemOf(error) });
    return () => {
      for (const { reject } of lost.flatMap(({ carried }) => carried)) reject(error);
    };
  }

  #pause(attempt: number): Promise<void> {
    const ms = Math.min(LONGEST_PAUSE_MS, 250 * 2 ** attempt) * (0.5 + Math.random() / 2);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#isHurried ? 0 : ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const NO_ANSWERS = ["unavailable", "internal", "rate_limited", "unauthorized"];

/** The change was not refused: not by a missing answer, a fault of the relay, or a token that has expired. */
function isNoAnswer(error: unknown): boolean {
  return error instanceof SpacefeedError && NO_ANSWERS.includes(error.code);
}

function isMergeable(last: Mutation, next: Mutation): boolean {
  const isSame = last.kind === next.kind && last.id === next.id;
  return isSame && last.action === "update" && next.action === "update";
}

function keysOf({ carried }: Queued): string[] {
  return carried.map(({ key }) => key);
}
