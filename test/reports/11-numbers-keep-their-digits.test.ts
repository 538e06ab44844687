import { CompactSign } from "jose";
import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { post, useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";
import { SECRET, tokensBy } from "../support/relay/token.js";

const db = useDatabase();
const relay = useRelay(db);
const guarded = useRelay(db, { tokens: tokensBy({ AUTH_JWT_SECRET: SECRET }) });
const session = useSession(db);

const NUMBERS = [
  "12345678901234567890",
  "-9007199254740993",
  "750727362669608961",
  "0.1234567890123456789012345",
  "3.141592653589793238462643383279",
  "1.10",
  "123456789012345678901234567890.000000000000000000001",
];
const PLACES = [
  { path: "intentions", key: "intentionId", field: "content" },
  { path: "beings", key: "beingId", field: "content" },
  { path: "beings", key: "beingId", field: "metadata" },
  { path: "beings", key: "beingId", field: "properties" },
] as const;

test.each(PLACES)(
  "a number is stored as it was sent, digit for digit: $field of $path",
  async ({ path, key, field }) => {
    const spaceId = await newSpace(relay.current);
    for (const action of ["create", "update"]) {
      for (const number of NUMBERS) {
        const id = `${path} ${field} ${number}`;
        const value =
          field === "content" ? `[{"n": ${number}}, ${number}]` : `{"n": ${number}, "all": [${number}]}`;
        const data = `{"name":"n","${field}":${value}}`;
        const text = `{"action":"${action}","${key}":"${id}","spaceId":"${spaceId}","data":${data}}`;
        expect((await post(relay.current, path, text)).status).toBe(200);
        const stored = await session.value(`select ${field}::text from public.${path} where id = $1`, [id]);
        expect(stored).toBe(await session.value("select $1::jsonb::text", [value]));
        expect(stored).toContain(number);
      }
    }
  },
);

test("a create that differs in the last digit of a number is no retry", async () => {
  const spaceId = await newSpace(relay.current);
  const text = (number: string) =>
    `{"action":"create","intentionId":"snowflake","spaceId":"${spaceId}","data":{"content":[{"id":${number}}]}}`;
  const statuses = [];
  for (const number of ["750727362669608961", "750727362669608961", "750727362669608962"]) {
    statuses.push((await post(relay.current, "intentions", text(number))).status);
  }
  expect(statuses).toEqual([200, 200, 409]);
});

test.each([
  ["1e400", "data.content: has a number that is too large"],
  ["1e-16000", "data.content.0.deep.1: has more than 1000 digits, written out"],
  ["0e-16000", "data.content.0.deep.1: has more than 1000 digits, written out"],
  [`0.${"1".repeat(1_100)}`, "data.content.0.deep.1: has more than 1000 digits, written out"],
])("a number that cannot be kept is refused with its path: %.12s", async (number, error) => {
  const spaceId = await newSpace(relay.current);
  const data = `{"name":"1e-16000, \\"[{","content":[{"{":[1,2],"deep":["]\\\\",${number}]}]}`;
  const text = `{"action":"create","spaceId":"${spaceId}","data":${data}}`;
  const { status, body } = await post(relay.current, "intentions", text);
  expect([status, body]).toEqual([400, { success: false, code: "invalid", error }]);
});

test("a claim of a token reaches the policy digit for digit", async () => {
  const spaceId = await newSpace(relay.current);
  await session.run(`
    create or replace function sync.authorize(claims jsonb, action text, space_id text, entity jsonb)
    returns boolean language sql stable set search_path = pg_catalog, pg_temp as
    $$ select claims ->> 'tenant' = '750727362669608961' and claims ->> 'being' = 'ada' $$`);
  const statuses = [];
  for (const tenant of ["750727362669608961", "750727362669608962"]) {
    const claims = `{"being":"bob","sub":"ada","exp":${Math.floor(Date.now() / 1000) + 60},"tenant":${tenant}}`;
    const token = await new CompactSign(new TextEncoder().encode(claims))
      .setProtectedHeader({ alg: "HS256" })
      .sign(new TextEncoder().encode(SECRET));
    const url = `${guarded.current.url}/api/sync?spaceId=${spaceId}`;
    statuses.push((await fetch(url, { headers: { Authorization: `Bearer ${token}` } })).status);
  }
  expect(statuses).toEqual([200, 403]);
});
