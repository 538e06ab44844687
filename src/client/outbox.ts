import { SpacefeedError } from "../protocol/errors.js";
import type { Being, Intention } from "../protocol/messages.js";
import { type Api, noAnswer } from "./api.js";
import { defined, type Mutation } from "./mutation.js";
import { type Trouble, troubleOf } from "./trouble.js";

/** A change on its way. Several updates of one entity that wait are one. */
export interface Letter {
  /** The mutations that it carries. */
  readonly keys: string[];
  mutation: Mutation;
  /** It may have arrived already: the answer to an earlier attempt was lost. */
  isRetry: boolean;
}

export interface OutboxEvents {
  stored(keys: readonly string[], row: Being | Intention, version: number | null): void;
  refused(keys: readonly string[], error: SpacefeedError): void;
  /** Why a change has waited for long; null when it does not wait any more. */
  delayed(delay: Trouble | null): void;
  /** What waits has changed. */
  changed(letters: readonly Letter[]): void;
}

type Settle = { resolve: (row: Being | Intention) => void; reject: (error: SpacefeedError) => void };

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
  readonly #letters: Letter[] = [];
  readonly #waiting = new Map<string, Settle>();
  #sending: Letter | undefined;
  #isClosed = false;
  #wake: (() => void) | undefined;
  /** The line came back while an attempt was under way, which may fail because of what was before. */
  #isKicked = false;
  #late: ReturnType<typeof setTimeout> | undefined;
  /** What the last attempt has met. */
  #obstacle: SpacefeedError | undefined;
  #isLate = false;

  constructor(api: Api, spaceId: string, events: OutboxEvents) {
    this.#api = api;
    this.#spaceId = spaceId;
    this.#events = events;
  }

  /** Resolves with the stored row; rejects when the change is refused. */
  add(mutation: Mutation, isRetry = false): Promise<Being | Intention> {
    const last = this.#letters.at(-1);
    if (last && last !== this.#sending && isMergeable(last.mutation, mutation)) {
      last.keys.push(mutation.key);
      const fields = { ...last.mutation.fields, ...defined(mutation.fields) };
      last.mutation = { ...last.mutation, fields } as Mutation;
    } else {
      this.#letters.push({ keys: [mutation.key], mutation, isRetry });
    }
    const stored = new Promise<Being | Intention>((resolve, reject) => {
      this.#waiting.set(mutation.key, { resolve, reject });
    });
    this.#events.changed(this.#letters);
    if (!this.#sending) void this.#send();
    return stored;
  }

  /** The line is back: whatever pauses goes on now. */
  kick(): void {
    this.#isKicked = true;
    this.#wake?.();
  }

  /** What is there gets one attempt more. */
  close(): void {
    this.#isClosed = true;
    this.#wake?.();
  }

  async #send(): Promise<void> {
    for (let attempt = 0; this.#letters[0]; attempt++) {
      const letter = this.#letters[0];
      this.#sending = letter;
      this.#isKicked = false;
      if (attempt === 0) this.#watch(letter);
      try {
        const { data, version: there } = await this.#post(letter);
        const version = data.locationId === this.#spaceId ? there : await this.#versionHere();
        this.#letters.shift();
        this.#events.stored(letter.keys, data, version);
        for (const settle of this.#settle(letter.keys)) settle.resolve(data);
      } catch (thrown) {
        const error = thrown as SpacefeedError;
        if (isNoAnswer(error)) {
          letter.isRetry = true;
          if (this.#isClosed) break;
          this.#obstacle = error;
          if (this.#isLate) this.#tell(letter);
          await this.#pause(attempt);
          continue;
        }
        this.#refuse(letter, error);
      }
      attempt = -1;
      this.#unwatch();
      this.#events.changed(this.#letters);
    }
    this.#sending = undefined;
    this.#unwatch();
    this.#giveUp();
  }

  #watch(letter: Letter): void {
    this.#late = setTimeout(() => {
      this.#isLate = true;
      this.#tell(letter);
    }, LATE_MS);
  }

  #unwatch(): void {
    clearTimeout(this.#late);
    this.#obstacle = undefined;
    if (this.#isLate) this.#events.delayed(null);
    this.#isLate = false;
  }

  #tell({ mutation }: Letter): void {
    const { code, message } = this.#obstacle ?? noAnswer();
    this.#events.delayed(troubleOf({ code, message: `a change waits to be sent: ${message}` }, mutation.at));
  }

  /** After close: what could not be sent stays where it is kept, if it is. */
  #giveUp(): void {
    const error = new SpacefeedError(
      "unavailable",
      "not sent: the client was closed while the relay was away",
    );
    for (const settle of this.#settle([...this.#waiting.keys()])) settle.reject(error);
  }

  async #post({ mutation, isRetry }: Letter): Promise<{ data: Being | Intention; version: number | null }> {
    const { kind, action, id, fields } = mutation;
    const path = `${kind}s` as const;
    const name = `${kind}Id`;
    const ask = (action: string, more: object) =>
      this.#api.post<Being | Intention>(path, { action, [name]: id, ...more });
    const where = fields.locationId !== undefined ? {} : { spaceId: this.#spaceId };
    try {
      if (action === "create") return await ask(action, { ...where, data: fields });
      if (action === "update") return await ask(action, { data: fields });
      return await ask(action, {});
    } catch (error) {
      if (!isRetry || !(error instanceof SpacefeedError)) throw error;
      // It had arrived: somebody has changed or deleted it since.
      if (action === "create" && error.code === "conflict") return ask("get", {});
      if (action === "delete" && error.code === "not_found") {
        return { data: { ...fields, id, locationId: null } as Being, version: null };
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

  #refuse(letter: Letter, error: SpacefeedError): void {
    const { id, kind, action } = letter.mutation;
    const keys = [...letter.keys];
    for (const later of this.#letters.splice(0).slice(1)) {
      // What was to be done next with what is not there cannot be done either, and is no fault of its own.
      const isLost = action === "create" && later.mutation.id === id && later.mutation.kind === kind;
      if (isLost) keys.push(...later.keys);
      else this.#letters.push(later);
    }
    this.#events.refused(keys, error);
    for (const settle of this.#settle(keys)) settle.reject(error);
  }

  #settle(keys: readonly string[]): Settle[] {
    const settles = keys.map((key) => this.#waiting.get(key)).filter((settle) => settle !== undefined);
    for (const key of keys) this.#waiting.delete(key);
    return settles;
  }

  #pause(attempt: number): Promise<void> {
    const ms = Math.min(LONGEST_PAUSE_MS, 250 * 2 ** attempt) * (0.5 + Math.random() / 2);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#isKicked ? 0 : ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const NO_ANSWERS = ["unavailable", "internal", "rate_limited", "unauthorized"];

/** Nobody has said no to the change: not even who wants to know first who asks. */
function isNoAnswer(error: unknown): boolean {
  return error instanceof SpacefeedError && NO_ANSWERS.includes(error.code);
}

function isMergeable(last: Mutation, next: Mutation): boolean {
  const isSame = last.kind === next.kind && last.id === next.id;
  return isSame && last.action === "update" && next.action === "update";
}
