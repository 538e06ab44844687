import { startModule } from "./process.mjs";

/** Many clients of one server, in a process of their own; see load/swarm.mjs. */
export function startSwarm(bench) {
  const { call, stop } = bench.use(startModule("load/swarm.mjs"));
  return {
    /** Opens so many streams of `server`, with `cursors` in turn. */
    open: ({ port, path }, count, { cursors, untilOpen } = {}) =>
      call("open", { port, path, count, cursors, untilOpen }),
    reset: () => call("reset"),
    deliveries: () => call("deliveries"),
    until: (what, ms) => call("until", { ...what, ms }),
    report: () => call("report"),
    close: () => call("close"),
    stop,
  };
}
