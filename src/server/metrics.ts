import {
  Counter,
  type CounterConfiguration,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  Registry,
} from "prom-client";

/** What the relay counts, for Prometheus and for the tests. One registry a relay. */
export class Metrics {
  readonly registry = new Registry();
  readonly clients = new Gauge({
    name: "spacefeed_clients",
    help: "Open streams.",
    labelNames: ["endpoint"] as const,
    registers: [this.registry],
  });
  /** Plain numbers, since they are raised for each client: a counter of Prometheus is slower than the write. */
  readonly sent = { frames: 0, bytes: 0 };
  readonly events = totalOf(() => this.sent.frames, {
    name: "spacefeed_events_sent_total",
    help: "Frames written to streams: one for each client, and group or catch-up.",
    registers: [this.registry],
  });
  readonly bytes = totalOf(() => this.sent.bytes, {
    name: "spacefeed_bytes_sent_total",
    help: "Bytes written to streams.",
    registers: [this.registry],
  });
  readonly catchUps = new Counter({
    name: "spacefeed_catch_ups_total",
    help: "Catch-ups read from the database: one for each space and version, however many clients wait for it.",
    registers: [this.registry],
  });
  readonly snapshots = new Counter({
    name: "spacefeed_snapshots_total",
    help: "Snapshots read from the database, however many clients wait for each.",
    registers: [this.registry],
  });
  readonly fromMemory = new Counter({
    name: "spacefeed_joins_from_memory_total",
    help: "Newcomers who got all that they lacked from what the relay remembers.",
    registers: [this.registry],
  });
  readonly wakeUps = new Counter({
    name: "spacefeed_wake_ups_total",
    help: "Notifications from Postgres.",
    registers: [this.registry],
  });
  readonly cutOff = new Counter({
    name: "spacefeed_slow_clients_cut_off_total",
    help: "Streams that were ended because the client did not read. It resumes from its cursor.",
    registers: [this.registry],
  });
  readonly refusals = new Counter({
    name: "spacefeed_refusals_total",
    help: "Requests and connections that were refused, by the limit that they ran into, else by the code of the answer.",
    labelNames: ["reason"] as const,
    registers: [this.registry],
  });
  readonly queries = new Histogram({
    name: "spacefeed_query_seconds",
    help: "Queries of the relay, by function or statement.",
    labelNames: ["query"] as const,
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5],
    registers: [this.registry],
  });
  readonly listening = new Gauge({
    name: "spacefeed_listening",
    help: "1 while the relay hears notifications, 0 while it reconnects.",
    registers: [this.registry],
  });
  readonly awake = new Gauge({
    name: "spacefeed_awake",
    help: "1 while the relay records for everybody and commits do not notify, 0 while each commit records itself.",
    registers: [this.registry],
  });
  readonly recordings = new Counter({
    name: "spacefeed_recordings_total",
    help: "Looks for what is to be recorded, by this relay.",
    registers: [this.registry],
  });
  readonly recordedNotes = new Counter({
    name: "spacefeed_recorded_notes_total",
    help: "Notes that this relay has recorded: one for each statement and space.",
    registers: [this.registry],
  });
  readonly sleepChanges = new Counter({
    name: "spacefeed_sleep_changes_total",
    help: "Changes of state between asleep and awake, those between them included.",
    registers: [this.registry],
  });
  readonly queue = new Gauge({
    name: "spacefeed_notify_queue_usage",
    help: "How full the NOTIFY queue of the Postgres cluster is, 0 to 1: writers fail at 1. NaN: not to be had.",
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    for (const endpoint of ["stream", "sync"]) this.clients.set({ endpoint }, 0);
  }
}

/** A counter that is read from a number whenever somebody looks. */
function totalOf(total: () => number, configuration: CounterConfiguration<never>): Counter<never> {
  return new Counter({
    ...configuration,
    collect() {
      this.reset();
      this.inc(total());
    },
  });
}
