import { randomBytes } from "node:crypto";
import type { ErrorCode } from "../../protocol/errors.js";
import { encodeEvent, nameSpace } from "../../protocol/sse.js";
import type { Caller } from "../auth/caller.js";
import type { Delivery } from "../feed/delivery.js";
import type { Cursor } from "../postgres/functions.js";
import type { Connection } from "./connection.js";
import { Reader, type Rechecks } from "./reader.js";

/** What a timer reaches; a token that ends later is somebody else's. */
const LONGEST_MS = 2 ** 31 - 1;

/** What a client has asked for. */
export interface StreamForm {
  endpoint: "stream" | "sync";
  /** It follows many spaces. */
  isNamed: boolean;
  /** It takes what a text grew by instead of the row. */
  takesAppends: boolean;
  /** Of complete states: the lists that they have; null: all. */
  types?: readonly string[] | null;
}

/** An open connection, and the spaces that it follows: one, or many, whose events then say of which space they are. */
export class Stream {
  /** Whoever knows it may add spaces and drop them: a secret of its client. */
  readonly id = randomBytes(18).toString("base64url");
  readonly #readers = new Map<string, Reader>();

  constructor(
    readonly connection: Connection,
    readonly caller: Caller,
    readonly form: StreamForm,
    private readonly rechecks: Rechecks,
  ) {
    const left = (caller.expiresAt ?? Number.POSITIVE_INFINITY) - Date.now();
    const expiry = left < LONGEST_MS ? setTimeout(() => this.#expire(), left) : undefined;
    connection.onClose(() => {
      clearTimeout(expiry);
      for (const reader of this.#readers.values()) reader.leave();
    });
    if (form.isNamed) connection.write(encodeEvent({ type: "stream", streamId: this.id }));
  }

  get spaces(): number {
    return this.#readers.size;
  }

  has(spaceId: string): boolean {
    return this.#readers.has(spaceId);
  }

  /** Follows a space that its client was let into at `now`; `join` gives the reader what it lacks. */
  follow(spaceId: string, now: Cursor, join: (reader: Reader) => void, onLeave: () => void): void {
    this.drop(spaceId);
    if (this.connection.isClosed) {
      onLeave();
      return;
    }
    const reader = new Reader(this, spaceId, now, this.rechecks, this.form.takesAppends, onLeave);
    this.#readers.set(spaceId, reader);
    join(reader);
  }

  drop(spaceId: string): void {
    this.#readers.get(spaceId)?.leave();
    this.#readers.delete(spaceId);
  }

  write(spaceId: string, delivery: Delivery): void {
    const encoded = (this.form.takesAppends && delivery.appended) || delivery;
    if (this.form.isNamed) encoded.named ??= nameSpace(encoded.frame, spaceId);
    this.connection.write((this.form.isNamed && encoded.named) || encoded.frame);
  }

  /** Of one space. Of many, one heartbeat is for all. */
  heartbeat(frame: Buffer): void {
    if (!this.form.isNamed) this.connection.heartbeat(frame);
  }

  /** A space is followed no longer, and its client is told why. A stream of one space ends with it. */
  refuse(spaceId: string, { code, message }: { code: ErrorCode; message: string }): void {
    this.drop(spaceId);
    if (this.form.isNamed)
      this.connection.write(encodeEvent({ type: "space-refused", spaceId, code, error: message }));
    else this.connection.end();
  }

  /** It is time to ask again whether it may go on. */
  recheck(): void {
    for (const reader of this.#readers.values()) void reader.recheck();
  }

  #expire(): void {
    this.rechecks.metrics.refusals.inc({ reason: "stream_expired" });
    this.connection.end();
  }
}
