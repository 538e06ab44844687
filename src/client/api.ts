import { type ErrorCode, SpacefeedError, STATUS } from "../protocol/errors.js";
import type { SpaceState } from "../protocol/messages.js";

export interface ApiOptions {
  url: string;
  headers?: Record<string, string> | (() => Record<string, string> | Promise<Record<string, string>>);
  fetch?: typeof fetch;
}

/** Messages in a page, and at most in a state. */
export const LIMITS = { page: 100, state: 10_000 } as const;
/** Milliseconds that an answer may take. */
const PATIENCE_MS = 10_000;

/** The relay's HTTP API. Whatever goes wrong is a SpacefeedError; `unavailable`: nobody has said no. */
export class Api {
  readonly #options: ApiOptions;
  readonly #base: string;

  constructor(options: ApiOptions) {
    this.#options = options;
    const page = globalThis.document?.baseURI ?? globalThis.location?.href;
    try {
      this.#base = new URL(options.url, page).href.replace(/\/$/, "");
    } catch (cause) {
      const message = `url: "${options.url}" is no address, such as https://sync.example.com`;
      throw new SpacefeedError("config", message, { cause });
    }
  }

  /** Where a path of the API is, with its query. */
  address(path: string, query: Record<string, string | undefined> = {}): URL {
    const url = new URL(`${this.#base}${path}`);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    return url;
  }

  /** As the global one, with the headers that the client was given. */
  async fetch(url: URL | string, init: RequestInit): Promise<Response> {
    const { headers, fetch = globalThis.fetch } = this.#options;
    const own = typeof headers === "function" ? await headers() : headers;
    return fetch(url, { ...init, headers: { ...(init.headers as Record<string, string>), ...own } });
  }

  /** A change, or a question about beings or intentions. */
  async post<T>(path: "beings" | "intentions", body: object, signal?: AbortSignal) {
    const answer = await this.#ask(this.address(`/api/${path}`), signal, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: jsonOf(body),
    });
    if (!(answer as { data?: unknown } | null)?.data) throw notOurs(200, "unavailable");
    return answer as { data: T; version: number | null; hasMore?: boolean };
  }

  /** The state of a space, with the messages that are held and some that may be new; null: it is as at the cursor. */
  async state(spaceId: string, held: number, cursor: string | null, signal?: AbortSignal) {
    const limit = Math.min(held + LIMITS.page, LIMITS.state);
    const url = this.address("/api/sync", { spaceId, limit: String(limit) });
    const known: Record<string, string> = cursor === null ? {} : { "If-None-Match": `W/"${cursor}"` };
    const state = await this.#ask(url, signal, {
      headers: { Accept: "application/json", ...known },
      cache: "no-store",
    });
    return state as SpaceState | null;
  }

  /** The JSON of the answer; null where nothing is new (304). */
  async #ask(url: URL, signal: AbortSignal | undefined, init: RequestInit): Promise<unknown> {
    const asking = new AbortController();
    const stop = () => asking.abort();
    let isLate = false;
    const patience = setTimeout(() => {
      isLate = true;
      stop();
    }, PATIENCE_MS);
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) stop();
    try {
      const response = await this.fetch(url, { ...init, signal: asking.signal }).catch((cause) => {
        const message = `the relay does not answer: ${reasonOf(cause)}`;
        throw new SpacefeedError("unavailable", message, { cause });
      });
      if (response.status === 304) return null;
      if (!response.ok) throw await refusalOf(response);
      return await bodyOf(response);
    } catch (error) {
      throw isLate ? noAnswer() : error;
    } finally {
      clearTimeout(patience);
      signal?.removeEventListener("abort", stop);
    }
  }
}

/** Nothing has come back for long. A browser does not say that it has not even sent it. */
export function noAnswer(): SpacefeedError {
  const isPage = globalThis.document !== undefined;
  return new SpacefeedError(
    "unavailable",
    `the relay does not answer${isPage ? ". Over HTTP/1.1 six open streams of a browser leave no connection for anything else: serve HTTP/2" : ""}`,
  );
}

/** What is said by whoever stands before a relay that is not there just now, as while a new one is put in its place. */
const PASSING = [404, 408, 425];

/** What an answer that is none says: the relay's own words, or those of whoever stands before it. */
export async function refusalOf(response: Response): Promise<SpacefeedError> {
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

function jsonOf(body: object): string {
  try {
    return JSON.stringify(body);
  } catch (error) {
    throw new SpacefeedError("invalid", `what is to be sent is not JSON: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

async function bodyOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    throw new SpacefeedError("unavailable", `the answer broke off: ${reasonOf(error)}`, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
