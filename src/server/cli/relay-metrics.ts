/** The metrics of a relay that `top` reads, each a sum over its labels unless it names one. */
const METRICS = {
  readers: "clients",
  frames: "events_sent_total",
  bytes: "bytes_sent_total",
  cutOff: "slow_clients_cut_off_total",
  catchUps: 'query_seconds_count{query="changes_since"}',
  catchUpSeconds: 'query_seconds_sum{query="changes_since"}',
  heard: "commit_to_relay_seconds_count",
  heardSeconds: "commit_to_relay_seconds_sum",
  written: "relay_to_socket_seconds_count",
  writtenSeconds: "relay_to_socket_seconds_sum",
};
const PATIENCE_MS = 2_000;

/** What a relay has counted until now; 0 of what it does not tell. */
export type RelayCounts = Record<keyof typeof METRICS, number>;

/** Asks a relay; undefined where it does not answer. */
export async function countsOf(url: URL): Promise<RelayCounts | undefined> {
  const text = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) })
    .then((response) => (response.ok ? response.text() : undefined))
    .catch(() => undefined);
  if (text === undefined) return undefined;
  const counts = Object.entries(METRICS).map(([key, name]) => [key, sumOf(text, `spacefeed_${name}`)]);
  return Object.fromEntries(counts) as RelayCounts;
}

/** A metric in the text format of Prometheus. */
function sumOf(text: string, name: string): number {
  return text
    .split("\n")
    .filter((line) => line.startsWith(name) && /[ {]/.test(line.charAt(name.length)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}
