import { beforeAll, expect } from "vitest";
import type { Relay } from "../../../src/server/relay.js";
import type { TestDatabase } from "../postgres/database.js";
import { Session } from "../postgres/session.js";

/** An answer that says no. */
export interface Refused {
  status: number;
  code: string;
  error: RegExp | string;
}

// Every row of every table, as one text.
const EVERYTHING = `select md5(concat_ws('|',
  (select string_agg(b::text, '|' order by b.id) from public.beings b),
  (select string_agg(i::text, '|' order by i.id) from public.intentions i),
  (select string_agg(s::text, '|' order by s.space_id) from sync.spaces s),
  (select string_agg(c::text, '|' order by c.space_id, c.entity_id) from sync.changes c)))`;

/** Sends what must be refused, and sees to it that nothing of it is stored. */
export function useRefusals(db: TestDatabase, relay: { readonly current: Relay }) {
  let session: Session;
  beforeAll(async () => {
    session = await Session.open(db);
  });

  return async function refused(
    path: string,
    body: unknown,
    { status, code, error }: Refused,
    init: RequestInit = {},
  ): Promise<void> {
    const before = await session.value(EVERYTHING);
    const isRaw = typeof body === "string" || body instanceof Uint8Array;
    const response = await fetch(new URL(path, relay.current.url), {
      ...(body !== undefined && { method: "POST", body: isRaw ? (body as string) : JSON.stringify(body) }),
      ...init,
    });
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
    const answer = isStream ? "a stream" : await response.text();
    if (isStream) await response.body?.cancel();
    expect([response.status, answer]).toEqual([status, expect.stringMatching(/^\{"success":false,/)]);
    expect(JSON.parse(answer)).toEqual({
      success: false,
      error: typeof error === "string" ? error : expect.stringMatching(error),
      code,
    });
    expect(await session.value(EVERYTHING)).toBe(before);
  };
}
