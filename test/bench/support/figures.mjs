/** The value below which the share p (0 to 1) of the values lies. */
export function percentile(values, p) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * p) - 1)];
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median and spread of the runs: "2.31 (2.20–2.48)". */
export function spread(values, digits = 0) {
  const text = (value) => value.toLocaleString("en-US", figures(digits));
  return `${text(median(values))} (${text(Math.min(...values))}–${text(Math.max(...values))})`;
}

const figures = (digits) => ({ minimumFractionDigits: digits, maximumFractionDigits: digits });

/** The ratio of each run's pair: what slows a run as a whole slows both sides of it. */
export const ratios = (above, below) => above.map((value, run) => value / below[run]);

/** A target beside its figure. */
export const verdict = (met) => (met ? "met" : "**missed**");

/** "3 runs", for a title: each figure says how often it was measured. */
export const runsOf = ({ length }) => `${length} ${length === 1 ? "run" : "runs"}`;
