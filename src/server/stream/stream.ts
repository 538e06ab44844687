import { randomBytes } from "node:crypto";
import { type ErrorCode, SpacefeedError } from "../../protocol/errors.js";
import { encodeEvent, nameSpace } from "../../protocol/sse.js";
import type { Caller } from "../auth/caller.js";
import type { Delivery } from "../feed/audience.js";
import { unknownSpace } from "../postgres/errors.js";
import type { Cursor } from "../postgres/functions.js";
import type { Connection } from "./connection.js";
import { Reader } from "./reader.js";
import type { Rechecks, Refusal } from "./recheck.js";

/** What a client has asked for. */
export interface StreamForm {
  endpoint: "stream" | "sync";
  /** It follows many spaces. */
  isNamed: boolean;
  /** It takes what a text grew by instead of the row. */
  takesAppends: boolean;
}

/** An open connection, and the spaces that it follows: one, or many, whose events then say of which space they are. */
export class Stream {
  /** Whoever knows it may add spaces and drop them: a secret of its client. */
  readonly id: string;
  readonly #readers = new Map<string, Reader>();

  constructor(
    readonly connection: Connection,
    readonly caller: Caller,
    private readonly rechecks: Rechecks,
    private readonly form: StreamForm,
  ) {
    this.id = form.isNamed ? randomBytes(18).toString("base64url") : "";
    connection.onClose(() => {
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
    const recheck = this.rechecks.start(this.caller, spaceId, now, (reason) => this.#refuse(spaceId, reason));
    const reader = new Reader(this, spaceId, recheck, this.form.takesAppends, onLeave);
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

  /** One heartbeat is for all spaces of a stream that has many. */
  heartbeat(frame: Buffer, isForAll = false): void {
    if (isForAll === this.form.isNamed) this.connection.heartbeat(frame);
  }

  /** A space is followed no longer, and its client is told why. A stream of one space ends with it. */
  refuse(spaceId: string, { code, message }: { code: ErrorCode; message: string }): void {
    this.drop(spaceId);
    if (this.form.isNamed)
      this.connection.write(encodeEvent({ type: "space-refused", spaceId, code, error: message }));
    else this.connection.end();
  }

  /** The space is no more. */
  gone(spaceId: string): void {
    this.refuse(spaceId, unknownSpace(spaceId));
  }

  #refuse(spaceId: string, reason: Refusal): void {
    if (reason === "stream_expired") this.connection.end();
    else this.refuse(spaceId, new SpacefeedError("forbidden", "not allowed: read"));
  }
}
