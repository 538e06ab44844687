import { type ErrorCode, SpacefeedError, STATUS } from "../protocol/errors.js";
import type { SpaceState } from "../protocol/messages.js";
import type { SpaceClientOptions } from "./client.js";
import { readEvents } from "./event-stream.js";
import type { Group, Standing } from "./replica.js";

export type ApiOptions = Pick<SpaceClientOptions, "headers" | "fetch"> & { url: string };

/** Takes what a stream brings, one after the other. */
export interface StreamReceiver {
  /** Some bytes are here: a long message that is still coming is not silence. */
  bytes(): void;
  message(event: Group[number]): void;
  /** `everyMs`: when the next one comes. */
  heartbeat(beat: { version: number | null; everyMs?: number }): void;
}

/** Messages in a page, and at most in a state; spaces of a stream. */
export const LIMITS = { page: 100, state: 10_000, spaces: 1_000 } as const;
const TIMEOUT_MS = 10_000;

/** The relay's HTTP API. Whatever goes wrong is a SpacefeedError; `unavailable` is no refusal. */
export class Api {
  readonly base: string;

  constructor(readonly options: ApiOptions) {
    const page = globalThis.document?.baseURI ?? globalThis.location?.href;
    try {
      this.base = new URL(options.url, page).href.replace(/\/$/, "");
    } catch (cause) {
      const message = `url: "${options.url}" is no address, such as https://sync.example.com`;
      throw new SpacefeedError("config", message, { cause });
    }
  }

  /** Where a path of the API is, with its query. */
  address(path: string, query: Record<string, string> = {}): URL {
    const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    return new URL(`${this.base}${path}?${pairs.join("&")}`.replace(/\?$/, ""));
  }

  /** Whether it asks the same relay in the same way. */
  isLike({ options, base }: Api): boolean {
    return (
      base === this.base && options.headers === this.options.headers && options.fetch === this.options.fetch
    );
  }

  /**
   * Reads the stream of a space, or of many, each from its cursor on; null: nothing is known yet. Resolves when it ends;
   * after `signal` nothing more is said.
   */
  async stream(
    spaces: Readonly<Record<string, string | null>>,
    signal: AbortSignal,
    receiver: StreamReceiver,
  ) {
    const [[spaceId, since] = [], ...others] = Object.entries(spaces);
    const isMany = spaceId === undefined || others.length > 0;
    const query = isMany ? {} : { spaceId, appends: "1", ...(since && { since }) };
    const response = await this.#fetch(this.address("/api/stream", query), "text/event-stream", {
      cache: "no-store",
      signal,
      ...(isMany && posting({ spaces, appends: true })),
    });
    if (!response.ok) throw await refusalOf(response);
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
    if (!response.body || !isStream) throw notOurs(response.status, "unavailable");
    const read = readEvents((event, data) => {
      if (!signal.aborted && (event === "message" || event === "heartbeat")) receiver[event](parsed(data));
    });
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || signal.aborted) return;
      receiver.bytes();
      read(decoder.decode(value, { stream: true }));
    }
  }

  /** Adds spaces to a stream of many, and drops some. */
  async change(streamId: string, body: { add: object; drop: string[] }, signal: AbortSignal) {
    await this.#ask(this.address(`/api/stream/${streamId}`), posting(body), signal);
  }

  /** A change, or a question about rows. */
  async post<T>(path: "beings" | "intentions" | "entities", body: object, signal?: AbortSignal) {
    const answer = await this.#ask(this.address(`/api/${path}`), posting(body), signal);
    if (!(answer as { data?: unknown } | null)?.data) throw notOurs(200, "unavailable");
    return answer as { data: T; version: number | null; hasMore?: boolean };
  }

  /** The state of a space, with the messages that are known and some that may be new; null: nothing is new. */
  async state(spaceId: string, known: Standing | null, signal?: AbortSignal) {
    const limit = Math.min((known?.lists?.intention.length ?? 0) + LIMITS.page, LIMITS.state);
    const url = this.address("/api/sync", { spaceId, limit: String(limit) });
    const headers = known ? { "If-None-Match": `W/"${known.cursor}"` } : undefined;
    return (await this.#ask(url, { headers, cache: "no-store" }, signal)) as SpaceState | null;
  }

  /** The JSON of the answer; null where nothing is new (304). */
  async #ask(url: URL, init: Init, signal: AbortSignal | undefined): Promise<unknown> {
    const asking = new AbortController();
    const stop = () => asking.abort();
    const timeout = setTimeout(() => asking.abort(noAnswer()), TIMEOUT_MS);
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) stop();
    try {
      const response = await this.#fetch(url, "application/json", { ...init, signal: asking.signal });
      if (response.status === 304) return null;
      if (!response.ok) throw await refusalOf(response);
      return await response.json().catch((cause) => {
        throw new SpacefeedError("unavailable", `the answer broke off: ${reasonOf(cause)}`, { cause });
      });
    } catch (error) {
      const { reason } = asking.signal;
      throw reason instanceof SpacefeedError ? reason : error;
    } finally {
      clearTimeout(timeout);
      signal?.removeEventListener("abort", stop);
    }
  }

  /** As the global one, with the headers that the client was given. */
  async #fetch(url: URL, accept: string, init: Init): Promise<Response> {
    const { headers, fetch = globalThis.fetch } = this.options;
    try {
      const own = typeof headers === "function" ? await headers() : headers;
      return await fetch(url, { ...init, headers: { Accept: accept, ...init.headers, ...own } });
    } catch (cause) {
      throw new SpacefeedError("unavailable", `the relay does not answer: ${reasonOf(cause)}`, { cause });
    }
  }
}

type Init = Omit<RequestInit, "headers"> & { headers?: Record<string, string> | undefined };

/** Nothing has come back for long. A browser does not say that it has not even sent it. */
export function noAnswer(): SpacefeedError {
  const hint = globalThis.document
    ? ". Over HTTP/1.1 six open streams of a browser leave no connection for anything else: serve HTTP/2"
    : "";
  return new SpacefeedError("unavailable", `the relay does not answer${hint}`);
}

/** What a proxy says while the relay behind it is being replaced. */
const PASSING = [404, 408, 425];

/** What an answer that is none says: the relay's own words, or those of a proxy before it. */
async function refusalOf(response: Response): Promise<SpacefeedError> {
  const said = (await response.json().catch(() => null)) as { error?: unknown; code?: unknown } | null;
  const { status } = response;
  const isClients = status >= 400 && status < 500;
  if (typeof said?.error === "string" && typeof said.code === "string" && said.code in STATUS) {
    const isFault = !isClients && said.code !== "internal";
    return new SpacefeedError(isFault ? "unavailable" : (said.code as ErrorCode), said.error);
  }
  const isRefusal = isClients && !PASSING.includes(status);
  const code = (Object.keys(STATUS) as ErrorCode[]).find((each) => STATUS[each] === status) ?? "invalid";
  return notOurs(status, isRefusal ? code : "unavailable");
}

function notOurs(status: number, code: ErrorCode): SpacefeedError {
  return new SpacefeedError(code, `the relay's address answers with status ${status}: is it the right one?`);
}

const posting = (body: object) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: jsonOf(body),
});

function jsonOf(body: object): string {
  try {
    return JSON.stringify(body);
  } catch (cause) {
    throw new SpacefeedError("invalid", `what is to be sent is not JSON: ${reasonOf(cause)}`, { cause });
  }
}

function parsed(json: string) {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new SpacefeedError("unavailable", "the stream has something that is not JSON", { cause });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
