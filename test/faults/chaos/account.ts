import type { ChaosSettings } from "./chaos.js";
import type { Journal } from "./journal.js";
import type { Oracle } from "./oracle.js";

const number = (value = 0) => value.toLocaleString("en-US");

/** What a run has done and found, as Markdown for docs/faults.md. */
export function account(run: {
  settings: ChaosSettings;
  journal: Journal;
  oracle: Oracle;
  versions: number;
  /** What the crowd has counted. */
  seen: Record<string, number>;
}): string {
  const { settings, journal, oracle, seen } = run;
  const { totals } = oracle.world.ledger;
  const counts: Record<string, number> = { ...journal.counts };
  for (const [what, times] of Object.entries(seen)) counts[what] = (counts[what] ?? 0) + times;
  const of = (prefix: string) =>
    Object.entries(counts)
      .filter(([what]) => what.startsWith(prefix))
      .map(([what, times]): [string, string] => [what.slice(prefix.length), number(times)])
      .sort(([a], [b]) => a.localeCompare(b));
  const { before, after } = oracle;
  const weight = (what: "megabytes" | "descriptors") =>
    before && after ? `${before[what].toFixed(0)} → ${after[what].toFixed(0)}` : "not known here";
  const found: [string, string][] = [
    ["versions of the spaces", number(run.versions)],
    ["versions that clients applied", number(counts["versions that clients applied"])],
    ...Object.entries(oracle.world.meter.totals).map(([what, times]): [string, string] => [
      what,
      number(times),
    ]),
    ["events that raw readers got", number(counts.events)],
    [
      "lost: clients and readers that did not end equal to the database",
      number(counts["clients that lost something"]),
    ],
    ["events doubled", number(counts["events doubled"])],
    ["gaps noticed by raw readers", number(counts["gaps noticed"])],
    [
      "space-syncs on coming back; at the version that the reader had",
      `${number(counts["space-syncs on coming back"])}; ${number(counts["space-syncs without need"])}`,
    ],
    [
      "writes acknowledged, refused, unknown",
      [totals.acknowledged, totals.refused, totals.unknown].map(number).join(", "),
    ],
    ["objections", number(journal.objections.length)],
    ["memory of the two relays, MB, before and after", weight("megabytes")],
    ["file descriptors of the two relays, before and after", weight("descriptors")],
  ];
  const command = `npm run chaos -- --minutes ${settings.minutes} --seed ${settings.seed}`;
  return [
    `\n\`${command}\`, ${settings.clients} clients:\n`,
    table("fault", "times", of("fault: ")),
    table("written by", "times", of("write: ")),
    table("refused with", "times", of("refusal: ")),
    table("versions come to clients in mode", "times", of("versions come in ")),
    table("found", "", found),
  ].join("\n");
}

function table(left: string, right: string, rows: [string, string][]): string {
  return [`| ${left} | ${right} |`, "|---|---|", ...rows.map(([a, b]) => `| ${a} | ${b} |`), ""].join("\n");
}
