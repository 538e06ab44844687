import { median, ratios, runsOf, spread, verdict } from "./figures.mjs";
import { bars, lines } from "./plot.mjs";
import { KERNEL, NCHAN, OURS } from "./rivals.mjs";

/** What is promised of ours, beside the kernel's send of the same run: 9.5 where that takes 6.2. */
const HIGHEST_RATIO = 9.5 / 6.2;
const HIGHEST_AT_FULL_SPEED = 1.2;

const whole = (value) => Math.round(value).toLocaleString("en-US");
const of = (runs, name, figure) => runs.map((results) => figure(results.get(name)));

export function cpuReport(runs, names, { clients, rate, seconds, sessions, notes }) {
  const paced = (name) => of(runs, name, (result) => result.paced[rate].cpuPerMillion);
  const full = (name) => of(runs, name, (result) => result.full.cpuPerMillion);
  const target = (name) => {
    if (name !== OURS) return "";
    const atFull = `at most ${HIGHEST_AT_FULL_SPEED} at full speed: ${verdict(median(full(name)) <= HIGHEST_AT_FULL_SPEED)}`;
    if (!names.includes(KERNEL)) return atFull;
    const ratio = median(ratios(paced(name), paced(KERNEL)));
    return `at most ${HIGHEST_RATIO.toFixed(2)} times the kernel: ${verdict(ratio <= HIGHEST_RATIO)}; ${atFull}`;
  };
  return {
    title: `Fan-out: CPU seconds of the server for a million deliveries (${runsOf(runs)}, ${whole(clients)} clients, 1 KB)`,
    head: ["server", `at ${rate} messages/s`, "beside the kernel", "writers at full speed", "target"],
    rows: names.map((name) => [
      name,
      spread(paced(name), 1),
      names.includes(KERNEL) ? spread(ratios(paced(name), paced(KERNEL)), 2) : "",
      spread(full(name), 2),
      target(name),
    ]),
    notes: [
      `At ${rate} messages a second each is a write of its own, for ${seconds} s. At full speed ${sessions} sessions write as fast as they are answered. The server's CPU is what the operating system says; clients and writers are processes of their own, and so is Postgres.`,
      "The kernel's send: a C program that calls send() for each message and client. Bare Node: one Buffer for all, no database. Hono: streamSSE and a NOTIFY listener that forwards payloads. Nchan gets its messages by POST.",
      ...notes,
    ],
    plots: [
      {
        file: "bench-fanout",
        title: `CPU seconds of the server for a million deliveries, ${whole(clients)} clients, 1 KB, ${rate} messages a second`,
        spec: bars(
          names.map((name) => ({ name, value: median(paced(name)), isOurs: name === OURS })),
          "CPU seconds a million deliveries",
        ),
      },
    ],
  };
}

export function latencyReport(runs, names, { clients, rates, notes }) {
  const cases = names.flatMap((name) =>
    rates
      .filter((rate) => runs.every((results) => results.get(name).paced[rate]))
      .map((rate) => ({ name, rate, all: (key) => of(runs, name, (result) => result.paced[rate][key]) })),
  );
  const nchanAt = (rate) => cases.find((other) => other.name === NCHAN && other.rate === rate);
  const target = ({ name, rate, all }) => {
    const nchan = nchanAt(rate);
    if (name !== OURS || !nchan) return "";
    return `p99 to the last at most nchan's: ${verdict(median(all("last99")) <= median(nchan.all("last99")))}`;
  };
  return {
    title: `Fan-out: milliseconds from the writer to the clients (${runsOf(runs)}, ${whole(clients)} clients, 1 KB)`,
    head: [
      "server",
      "messages/s",
      "p50",
      "p95",
      "p99",
      "last client, p50",
      "last client, p99",
      "of it the write",
      "target",
    ],
    rows: cases.map(({ name, rate, all }) => [
      all("incomplete").some((count) => count > 0) ? `${name}, behind` : name,
      rate,
      ...["p50", "p95", "p99", "last50", "last99"].map((key) => spread(all(key), 1)),
      all("commit50").every((ms) => ms !== undefined) ? spread(all("commit50"), 1) : "",
      target({ name, rate, all }),
    ]),
    notes: [
      "Counted from just before the write is sent, the commit and its fsync included, to the client's read. Of it the write: the median until the writer is answered, by Postgres or by the server that was POSTed to.",
      "Behind: 3 s after the last write some messages had not come to all clients, and those are not in the figures. What keeps no pace at all at a rate has no line there.",
      ...notes,
    ],
    plots: [
      {
        file: "bench-latency",
        title: `From the INSERT to the last of ${whole(clients)} clients, p99`,
        spec: lines(
          cases
            .filter(({ name }) => name !== KERNEL && !name.startsWith("bare"))
            .map(({ name, rate, all }) => ({ x: rate, y: median(all("last99")), name })),
          { x: "messages a second", y: "ms", isLog: true, isLogY: true },
        ),
      },
      {
        title: `Spacefeed: from the INSERT to ${whole(clients)} clients`,
        spec: lines(
          cases
            .filter(({ name }) => name === OURS)
            .flatMap(({ rate, all }) =>
              Object.entries({ p50: "p50", p95: "p95", p99: "p99", last99: "the last client, p99" }).map(
                ([key, name]) => ({ x: rate, y: median(all(key)), name }),
              ),
            ),
          { x: "messages a second", y: "ms", isLog: true },
        ),
      },
    ],
  };
}

export function speedReport(runs, names, { clients, notes }) {
  const perSecond = (name) => of(runs, name, (result) => result.full.perSecond);
  return {
    title: `Fan-out: deliveries a second at full speed (${runsOf(runs)}, ${whole(clients)} clients, 1 KB)`,
    head: ["server", "deliveries/s", "messages/s written"],
    rows: names.map((name) => [
      name,
      spread(perSecond(name)),
      spread(of(runs, name, (result) => result.full.messages)),
    ]),
    notes: [
      "Server, clients, writers and Postgres share the machine: with more cores there would be more.",
      ...notes,
    ],
    plots: [
      {
        title: "Deliveries a second at full speed",
        spec: bars(
          names.map((name) => ({ name, value: median(perSecond(name)), isOurs: name === OURS })),
          "deliveries a second",
          ",.3~s",
        ),
      },
    ],
  };
}
