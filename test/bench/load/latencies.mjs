/** One part in so many: the resolution of a latency. */
const STEP = 50;
const SCALE = STEP / Math.LN2;
const BUCKETS = STEP * 26; // up to a minute

/** Latencies of many deliveries, and for each message that of the last client. Microseconds in, ms out. */
export class Latencies {
  #clients;
  #all = new Uint32Array(BUCKETS);
  #each = new Map();

  constructor(clients) {
    this.#clients = clients;
  }

  add(now, sentAt, number) {
    const us = Math.max(1, now - sentAt);
    this.#all[Math.min(BUCKETS - 1, Math.round(Math.log(us) * SCALE))]++;
    const message = this.#each.get(number);
    if (!message) this.#each.set(number, { count: 1, lastUs: us });
    else {
      message.count++;
      if (us > message.lastUs) message.lastUs = us;
    }
  }

  /** How often the message with this number has come. */
  countOf(number) {
    return this.#each.get(number)?.count ?? 0;
  }

  report() {
    const last = [...this.#each.values()].filter(({ count }) => count >= this.#clients);
    const lastMs = last.map(({ lastUs }) => lastUs / 1e3).sort((a, b) => a - b);
    return {
      p50: this.#percentile(0.5),
      p95: this.#percentile(0.95),
      p99: this.#percentile(0.99),
      /** Of the messages that all clients have had. */
      last50: of(lastMs, 0.5),
      last99: of(lastMs, 0.99),
      complete: last.length,
      incomplete: this.#each.size - last.length,
    };
  }

  #percentile(p) {
    const total = this.#all.reduce((sum, count) => sum + count, 0);
    let seen = 0;
    const bucket = this.#all.findIndex((count) => {
      seen += count;
      return seen >= total * p;
    });
    return Math.exp(bucket / SCALE) / 1e3;
  }
}

const of = (sorted, p) => sorted[Math.max(0, Math.ceil(sorted.length * p) - 1)] ?? Number.NaN;
