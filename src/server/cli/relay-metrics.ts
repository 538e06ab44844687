/** What a relay has counted until now. */
export interface RelayCounts {
  readers: number;
  frames: number;
  bytes: number;
  cutOff: number;
  /** Of catch-ups: how many were asked for, and the seconds that they took. */
  queries: Span;
  /** From a commit until a relay hears of it, and from there until it is written to sockets; 0 of a relay that does not tell. */
  commitToRelay: Span;
  relayToSocket: Span;
}

interface Span {
  count: number;
  seconds: number;
}

const PATIENCE_MS = 2_000;

/** Asks a relay; undefined where it does not answer. */
export async function countsOf(url: URL): Promise<RelayCounts | undefined> {
  const text = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) })
    .then((response) => (response.ok ? response.text() : undefined))
    .catch(() => undefined);
  if (text === undefined) return undefined;
  const sum = (name: string, labels = "") => sumOf(text, `spacefeed_${name}`, labels);
  const span = (name: string, labels = "") => ({
    count: sum(`${name}_seconds_count`, labels),
    seconds: sum(`${name}_seconds_sum`, labels),
  });
  return {
    readers: sum("clients"),
    frames: sum("events_sent_total"),
    bytes: sum("bytes_sent_total"),
    cutOff: sum("slow_clients_cut_off_total"),
    queries: span("query", 'query="changes_since"'),
    commitToRelay: span("commit_to_relay"),
    relayToSocket: span("relay_to_socket"),
  };
}

/** A metric in the text format of Prometheus, over all of its labels that have these. */
function sumOf(text: string, name: string, labels: string): number {
  return text
    .split("\n")
    .filter((line) => line.startsWith(`${name} `) || (line.startsWith(`${name}{`) && line.includes(labels)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}
