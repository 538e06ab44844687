import { Counter, collectDefaultMetrics, exponentialBuckets, Gauge, Histogram, Registry } from "prom-client";

/** What the relay counts, for Prometheus and for the tests. One registry a relay. */
export class Metrics {
  readonly registry = new Registry();
  readonly clients = new Gauge(this.#of("clients", "Open streams.", "endpoint"));
  /** Plain numbers, since they are raised for each client: a counter of Prometheus is slower than the write. */
  readonly sent = { frames: 0, bytes: 0 };
  readonly events = this.#counter(
    "events_sent_total",
    "Frames written to streams: one for each client, and group or catch-up.",
    () => this.sent.frames,
  );
  readonly bytes = this.#counter("bytes_sent_total", "Bytes written to streams.", () => this.sent.bytes);
  readonly catchUps = this.#counter(
    "catch_ups_total",
    "Catch-ups read from the database: one for each space and version, however many clients wait for it.",
  );
  readonly snapshots = this.#counter(
    "snapshots_total",
    "Snapshots read from the database, however many clients wait for each.",
  );
  readonly fromMemory = this.#counter(
    "joins_from_memory_total",
    "Readers who came, or came back, and got from the history what they lacked.",
  );
  readonly wakeUps = this.#counter("wake_ups_total", "Notifications from Postgres that a space was raised.");
  readonly cutOff = this.#counter(
    "slow_clients_cut_off_total",
    "Streams that were ended because the client did not read. It resumes from its cursor.",
  );
  readonly refusals = new Counter(
    this.#of(
      "refusals_total",
      "Requests and connections that were refused, by the limit that they ran into, else by the code of the answer.",
      "reason",
    ),
  );
  readonly queries = this.#histogram(
    "query_seconds",
    "Queries of the relay, by function or statement.",
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5],
    "query",
  );
  readonly toRelay = this.#histogram(
    "commit_to_relay_seconds",
    "From the recording of a version (at the commit while all relays sleep, else in a relay's turn) until it was read for " +
      "the readers of its space, by the database's clock: once a space and read.",
    exponentialBuckets(0.001, 2, 14),
  );
  readonly toSocket = this.#histogram(
    "relay_to_socket_seconds",
    "From the database's answer until it was written to the sockets of all live readers of a space: once a space and read.",
    exponentialBuckets(0.0001, 2, 14),
  );
  readonly listening = this.#gauge(
    "listening",
    "1 while the relay hears notifications, 0 while it reconnects.",
  );
  readonly awake = this.#gauge(
    "awake",
    "1 while the relay records for everybody and commits do not notify, 0 while each commit records itself.",
  );
  readonly recordings = this.#counter("recordings_total", "Looks for what is to be recorded, by this relay.");
  readonly recordedNotes = this.#counter(
    "recorded_notes_total",
    "Notes that this relay has recorded: one for each statement and space.",
  );
  readonly sleepChanges = this.#counter(
    "sleep_changes_total",
    "Changes of state between asleep and awake, those between them included.",
  );
  readonly queue = this.#gauge(
    "notify_queue_usage",
    "How full the NOTIFY queue of the Postgres cluster is, 0 to 1: writers fail at 1. NaN: not known.",
  );

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    for (const endpoint of ["stream", "sync"]) this.clients.set({ endpoint }, 0);
  }

  #of(name: string, help: string, ...labelNames: string[]) {
    return { name: `spacefeed_${name}`, help, labelNames, registers: [this.registry] };
  }

  #gauge(name: string, help: string) {
    return new Gauge(this.#of(name, help));
  }

  #histogram(name: string, help: string, buckets: number[], ...labelNames: string[]) {
    return new Histogram({ ...this.#of(name, help, ...labelNames), buckets });
  }

  /** `total`: a number that is read whenever somebody looks. */
  #counter(name: string, help: string, total?: () => number) {
    function collect(this: Counter) {
      this.reset();
      this.inc(total?.());
    }
    return new Counter({ ...this.#of(name, help), ...(total && { collect }) });
  }
}
