import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { Session, useSession } from "../../support/postgres/session.js";
import { closing } from "../../support/relay/follow.js";
import { startTestRelay, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";
import { as, SECRET, tokensBy } from "../../support/relay/token.js";

const db = useDatabase();
const relay = useRelay(db);
const session = useSession(db);

const queries = async () => {
  const { values } = await relay.current.metrics.queries.get();
  return values.find(({ labels, metricName }) => labels.query === "open" && metricName?.endsWith("_count"))
    ?.value as number;
};

test("joins that come together share their queries, however many they are and whatever they ask", async () => {
  const spaces = [await newSpace(relay.current), await newSpace(relay.current)] as const;
  await session.query("update public.beings set name = 'seen' where id = any ($1)", [spaces]);
  const open = async (n: number) => openStream(streamUrl(relay.current.url, spaces[n % 2 ? 1 : 0], n % 3));
  await (await open(0)).close();
  const before = await queries();
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
  // Holds up the first question: the others come meanwhile.
  await session.run("begin", "lock table sync.instance in access exclusive mode");
  const opening = Promise.all(Array.from({ length: 200 }, (_, n) => open(n)));
  // Both ends are in this process; and what was sent before this is read before this.
  await expect.poll(sockets).toBeGreaterThanOrEqual(2 * 200);
  await fetch(`${relay.current.url}/healthz`);
  await session.run("commit");
  for (const stream of await opening) {
    expect(stream.response.status).toBe(200);
    stream.close();
  }
  // The one that was held up, and one for all who came meanwhile.
  expect((await queries()) - before).toBeLessThanOrEqual(3);
});

test("what one newcomer asks wrongly, or may not have, is not the others' fault", async () => {
  const spaceId = await newSpace(relay.current);
  const secret = await newSpace(relay.current);
  await session.run(
    `create or replace function sync.authorize(claims jsonb, action text, space_id text, entity jsonb)
     returns boolean language plpgsql stable set search_path = '' as $$
     begin
       if space_id = '${secret}' then return null; end if;
       if space_id = 'broken' then raise division_by_zero; end if;
       return true;
     end $$`,
  );
  const status = async (space: string, since?: string | number, headers?: Record<string, string>) => {
    const stream = await openStream(streamUrl(relay.current.url, space, since), headers);
    stream.close();
    return stream.response.status;
  };
  expect(
    await Promise.all([
      status(spaceId, 1),
      status(spaceId, "2024-02-30"),
      status(spaceId, "nonsense"),
      status(spaceId, undefined, { "Last-Event-ID": "nonsense" }),
      status(secret, 1),
      status("broken"),
      status("nowhere"),
      status(spaceId),
    ]),
  ).toEqual([200, 400, 400, 200, 403, 500, 404, 200]);
});

const decide = (body: string) =>
  session.run(
    `create or replace function sync.authorize(claims jsonb, action text, space_id text, entity jsonb)
     returns boolean language plpgsql volatile set search_path = '' as $$ begin ${body} end $$`,
  );
const tokens = tokensBy({ AUTH_JWT_SECRET: SECRET });

test("a policy too slow for many questions at once is asked few at once, until all are answered", {
  timeout: 60_000,
}, async (context) => {
  await decide("return true;");
  const slow = closing(context, await startTestRelay(db, { tokens, recheckMs: 1_000 }));
  const url = streamUrl(slow.url, await newSpace(relay.current), 1);
  const streams = await Promise.all(
    Array.from({ length: 150 }, async (_, n) => closing(context, await openStream(url, await as(`${n}`)))),
  );
  // As statement_timeout does, only sooner: 20 questions at once get no answer, however often they are asked.
  await decide(
    `if clock_timestamp() > statement_timestamp() + interval '400 ms' then raise query_canceled; end if;
     perform pg_catalog.pg_sleep(0.02);
     return false;`,
  );
  await session.query("update public.beings set name = 'asks about all at once' where type = 'space'");
  await Promise.all(streams.map(({ ended }) => ended));
});

test("a newcomer waits for no question about those who are in already", async (context) => {
  await decide(
    `if claims ->> 'waits' is not null then perform pg_catalog.pg_advisory_xact_lock_shared(4714); end if;
     return true;`,
  );
  const busy = closing(context, await startTestRelay(db, { tokens, recheckMs: 100 }));
  const url = streamUrl(busy.url, await newSpace(relay.current), 1);
  closing(context, await openStream(url, await as("ada", { waits: true })));
  const holder = await Session.open(db);
  await holder.run("begin", "select pg_advisory_xact_lock(4714)");
  const waits = "select count(*)::int from pg_catalog.pg_locks where locktype = 'advisory' and not granted";
  await expect.poll(() => session.value(waits)).toBe(1);
  const newcomer = await openStream(url, await as("bob"));
  expect(newcomer.response.status).toBe(200);
  expect(await session.value(waits)).toBe(1);
  newcomer.close();
  await holder.run("commit");
});
