// Preloaded into a relay: each SIGUSR2 moves its wall clock, for the whole process, as somebody who sets the
// time of a machine does. Timers and performance.now() go on, as they do then.
const HOUR_MS = 3_600_000;
const STEPS_MS = [HOUR_MS, -2 * HOUR_MS, 30 * 24 * HOUR_MS, -5_000, 0];

const real = Date;
let offsetMs = 0;
let steps = 0;
const now = () => real.now() + offsetMs;

globalThis.Date = new Proxy(real, {
  construct: (target, parts, wanted) => Reflect.construct(target, parts.length > 0 ? parts : [now()], wanted),
  get: (target, name) => (name === "now" ? now : Reflect.get(target, name)),
});

process.on("SIGUSR2", () => {
  offsetMs = STEPS_MS[steps++ % STEPS_MS.length];
});
