// Recording by an awake relay: from the commit to a reader's socket, what it costs, and beside an old snapshot.
import { setTimeout as delay } from "node:timers/promises";
import { median, percentile, runsOf, spread, verdict } from "./support/figures.mjs";
import { cpuOf } from "./support/process.mjs";
import { openStream, startRelay } from "./support/relay.mjs";
import { CONTENT, createPlainTable, emptyTables, TABLES } from "./support/tables.mjs";
import { commitRate } from "./support/write-load.mjs";

const PACES = [
  { name: "1,000 commits/s, 16 writers", rate: 1_000, writers: 16, aims: { p50: 10, p99: 50 } },
  { name: "all cores taken by 32 writers", rate: undefined, writers: 32, aims: { p99: 250 } },
];
const SECONDS = 5;
/** How long a snapshot stays open: as that of a dump. */
const OLD_SECONDS = 60;
const LEAST_LEFT = 0.85;
const LOST_AFTER_MS = 10_000;

export async function run({ database, progress, quick = false, rounds = () => [0, 1, 2] }) {
  const client = await database.connect();
  await createPlainTable(client);
  const relay = await startRelay(database.url, { LOG_LEVEL: "error" });
  try {
    const lags = new Map(PACES.map((pace) => [pace, []]));
    for (const round of rounds()) {
      for (const pace of PACES) {
        const lag = await measureLag(client, database.url, relay, pace, quick ? 1 : SECONDS);
        lags.get(pace).push(lag);
        progress(`round ${round + 1}, ${pace.name}: p50 ${lag.p50.toFixed(1)}, p99 ${lag.p99.toFixed(1)} ms`);
      }
    }
    const old = [];
    for (const round of rounds()) {
      old.push(await besideOldSnapshot(database, client, quick ? 2 : OLD_SECONDS));
      progress(
        `round ${round + 1}, an old snapshot: ${old
          .at(-1)
          .map((rate) => rate.toFixed(0))
          .join(", ")}`,
      );
      if (quick || round === 0) break; // a minute each
    }
    return [report(lags), reportOld(old)];
  } finally {
    await relay.stop();
  }
}

async function measureLag(client, url, relay, { rate, writers }, seconds) {
  await emptyTables(client);
  await client.query("insert into public.beings (id, type) values ('lag', 'space') on conflict do nothing");
  await client.query("update public.beings set name = name || '.' where id = 'lag'"); // it is there anew
  // Where more than 100 have come at once it is a space-sync, with the newest 100.
  const lags = new Map();
  const stream = await openStream(relay.url, "lag", (event) => {
    const now = performance.timeOrigin + performance.now();
    for (const { messageId, createdAt } of event.intentions ?? [event.data]) {
      if (messageId && !lags.has(messageId)) lags.set(messageId, now - Date.parse(createdAt));
    }
  });
  await client.query("checkpoint");
  const before = await costs(client, relay);
  const sql = `insert into public.intentions (location_id, content) values ('lag', '${CONTENT}')`;
  const made = await commitRate({ url, sql, numbers: 1, writers, seconds, rate });
  const after = await costs(client, relay);
  const { rows } = await client.query(
    "select count(*)::int as n, max(substr(message_id, 5)::bigint) as newest from public.intentions",
  );
  for (const start = performance.now(); !lags.has(`msg_${rows[0].newest}`); await delay(20)) {
    if (performance.now() - start > LOST_AFTER_MS) throw new Error("the newest message has not come");
  }
  stream.close();
  // The first half second is of a relay that wakes up.
  const settled = [...lags.values()].slice(Math.floor(lags.size / (seconds + 1) / 2));
  return {
    rate: made,
    p50: percentile(settled, 0.5),
    p99: percentile(settled, 0.99),
    relay: ((after.relay - before.relay) * 1e6) / rows[0].n,
    recorder: ((after.recorder - before.recorder) * 1e6) / rows[0].n,
    wal: (after.wal - before.wal) / rows[0].n,
  };
}

/** CPU seconds of the relay and of its recorder's session, and bytes of WAL, so far. */
async function costs(client, relay) {
  const { rows } = await client.query(`
    select (select pid from pg_stat_activity where application_name = 'spacefeed recorder' limit 1) as pid,
      pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as wal`);
  return { relay: cpuOf([relay.pid]), recorder: cpuOf([rows[0].pid]), wal: rows[0].wal };
}

/** Commits a second of 8 writers in one space: before, and while a repeatable read snapshot is open, at its start and end. */
async function besideOldSnapshot(database, client, seconds) {
  await emptyTables(client);
  const sql = `insert into ${TABLES.triggers} (location_id, content) values ('old', '${CONTENT}')`;
  const rate = (length) => commitRate({ url: database.url, sql, numbers: 1, writers: 8, seconds: length });
  await rate(2);
  const old = await database.connect();
  await old.query("begin isolation level repeatable read");
  await old.query("select count(*) from sync.spaces");
  const first = await rate(3);
  await rate(seconds);
  const last = await rate(3);
  await old.query("rollback");
  return [first, last];
}

function report(lags) {
  return {
    title: `Recording: from the commit to a reader's socket (${runsOf(lags.get(PACES[0]))} of ${SECONDS} s)`,
    head: [
      "load",
      "commits/s",
      "p50, ms",
      "p99, ms",
      "relay, µs a commit",
      "recorder's session, µs a commit",
      "WAL, bytes a commit",
      "aim",
    ],
    rows: PACES.map((pace) => {
      const of = (what) => lags.get(pace).map((run) => run[what]);
      const met = Object.entries(pace.aims).map(
        ([what, most]) => `${what} ${most}: ${verdict(median(of(what)) <= most)}`,
      );
      return [
        pace.name,
        spread(of("rate")),
        spread(of("p50"), 1),
        spread(of("p99"), 1),
        spread(of("relay")),
        spread(of("recorder")),
        spread(of("wal")),
        met.join(", "),
      ];
    }),
    data: PACES.map((pace) => ({
      series: "p99",
      x: pace.name,
      y: median(lags.get(pace).map(({ p99 }) => p99)),
    })),
    notes: [
      "From created_at of the message, which is before the fsync of its commit. The writers are on the same cores.",
    ],
  };
}

function reportOld(old) {
  const left = old.map(([first, last]) => last / first);
  return {
    title: `Recording beside a repeatable read snapshot that stays open for ${OLD_SECONDS} s (${runsOf(old)})`,
    head: ["8 writers, one space", "commits/s at its start", "at its end", "left", "aim"],
    rows: [
      [
        "inserts",
        spread(old.map(([first]) => first)),
        spread(old.map(([, last]) => last)),
        spread(left, 2),
        `at least ${LEAST_LEFT}: ${verdict(median(left) >= LEAST_LEFT)}`,
      ],
    ],
    data: [],
    notes: [],
  };
}
