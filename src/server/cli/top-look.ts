import type pg from "pg";
import { countsOf, type RelayCounts } from "./relay-metrics.js";

/** A look at a database and at a relay, at a time. */
export interface Look {
  /** ms, by the clock of Postgres. */
  at: number;
  versions: number;
  spaces: number;
  relays: number;
  /** The pid of the session that records; null: each commit does. */
  recorder: number | null;
  /** Where it comes from; null: by a socket of the machine, or not ours to see. */
  recorderAt: string | null;
  awake: boolean;
  notes: number;
  queueUsage: number;
  /** Seconds since the oldest transaction that has written began. */
  oldestWrite: number | null;
  versionOf: Map<string, number>;
  relay: RelayCounts | undefined;
}

/** Who is busy now is among those that were raised last. */
const MOST_SPACES = 1_000;

/** One statement, one snapshot: a space has no more versions than all. */
const LOOK = `
  select extract(epoch from clock_timestamp())::float8 * 1000 as at, s.versions::float8, s.spaces::float8, s.relays::float8,
    s.recorder, host(a.client_addr) as "recorderAt", s.awake, s.notes::float8, s.notify_queue_usage as "queueUsage",
    extract(epoch from s.oldest_write)::float8 as "oldestWrite", coalesce(l.versions, '{}') as "versionOf"
  from sync.status s
  left join pg_stat_activity a on a.pid = s.recorder
  cross join (
    select json_object_agg(r.space_id, r.version) as versions
    from (select b.space_id, b.version from sync.spaces b order by b.xid desc limit ${MOST_SPACES}) as r
  ) as l`;

export async function look(dba: pg.Client, metricsUrl: URL): Promise<Look> {
  const [relay, { rows }] = await Promise.all([countsOf(metricsUrl), dba.query(LOOK)]);
  const { versionOf, ...status } = rows[0] as Omit<Look, "versionOf" | "relay"> & {
    versionOf: Record<string, number>;
  };
  return { ...status, versionOf: new Map(Object.entries(versionOf)), relay };
}

/** What happened between two looks. */
export type Between = ReturnType<typeof between>;

/** Rates are in a second. `relay`: null where it did not answer. */
export function between(before: Look, now: Look) {
  const seconds = Math.max(now.at - before.at, 1) / 1000;
  const rate = (was: number, is: number) => Math.max(0, is - was) / seconds; // less: it was started anew
  const { at, versions, versionOf, relay, ...rest } = now;
  const busiest = [...versionOf]
    .map(([spaceId, version]) => {
      // One that was not among the last ones has been raised since.
      const was = before.versionOf.get(spaceId) ?? version - 1;
      return { spaceId, version, versionsPerSecond: rate(was, version) };
    })
    .filter(({ versionsPerSecond }) => versionsPerSecond > 0)
    .sort((a, b) => b.versionsPerSecond - a.versionsPerSecond);
  return {
    at: new Date(at).toISOString(),
    versionsPerSecond: rate(before.versions, versions),
    ...rest,
    busiest,
    relay: relay ? ratesOf(before.relay ?? relay, relay, rate) : null,
  };
}

/** The seconds are means; null where there was nothing to measure, or the relay does not tell. */
function ratesOf(was: RelayCounts, is: RelayCounts, rate: (was: number, is: number) => number) {
  const mean = (count: keyof RelayCounts, seconds: keyof RelayCounts) =>
    is[count] > was[count] ? (is[seconds] - was[seconds]) / (is[count] - was[count]) : null;
  return {
    readers: is.readers,
    framesPerSecond: rate(was.frames, is.frames),
    bytesPerSecond: rate(was.bytes, is.bytes),
    cutOff: is.cutOff,
    querySeconds: mean("catchUps", "catchUpSeconds"),
    commitToRelaySeconds: mean("heard", "heardSeconds"),
    relayToSocketSeconds: mean("written", "writtenSeconds"),
  };
}
