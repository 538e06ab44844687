import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { Metrics } from "../../src/server/metrics.js";

interface Dashboard {
  panels: { title: string; targets: { expr: string }[] }[];
  templating: { list: { name: string; query: string | { query: string } }[] };
}

const dashboard: Dashboard = JSON.parse(
  await readFile(new URL("../../docs/grafana.json", import.meta.url), "utf8"),
);
const expressions = dashboard.panels.flatMap(({ title, targets }) =>
  targets.map(({ expr }) => ({ title, expr })),
);

/** What /metrics has: the names of its series, with their labels and their kind. */
async function series(): Promise<Map<string, { kind: string; labels: readonly string[] }>> {
  const { registry } = new Metrics();
  const found = new Map<string, { kind: string; labels: readonly string[] }>();
  for (const metric of registry.getMetricsAsArray()) {
    const { name, type } = metric as unknown as { name: string; type: string };
    const { labelNames: labels = [] } = metric as unknown as { labelNames?: string[] };
    if (type === "histogram") {
      found.set(`${name}_bucket`, { kind: "bucket", labels: [...labels, "le"] });
      for (const end of ["_sum", "_count"]) found.set(name + end, { kind: "counter", labels });
    } else {
      found.set(name, { kind: type, labels });
    }
  }
  registry.clear();
  return found;
}

/** The series that an expression names, each with the functions around it, innermost first. */
function namedIn(expr: string): { name: string; within: string[] }[] {
  return [...expr.matchAll(/\b(?:spacefeed|process|nodejs)_\w+/g)].map(({ 0: name, index }) => {
    const open: string[] = [];
    for (const [, called, close] of expr.slice(0, index).matchAll(/(\w*)(?: by \([^)]*\) )?\(|(\))/g)) {
      if (close) open.pop();
      else open.push(called as string);
    }
    return { name, within: open.reverse() };
  });
}

test.each(expressions)("$title asks for what there is: $expr", async ({ expr }) => {
  const all = await series();
  const named = namedIn(expr);
  expect(named).not.toEqual([]);
  for (const { name, within } of named) {
    const { kind, labels } = all.get(name) ?? {};
    expect(kind, `${name} is in /metrics`).toBeDefined();
    // What only rises is of use by its rate, and a gauge has none.
    expect([name, within[0] === "rate"]).toEqual([name, kind !== "gauge"]);
    expect([name, within.includes("histogram_quantile")]).toEqual([name, kind === "bucket"]);
    for (const [, by = ""] of expr.matchAll(/ by \(([^)]*)\)/g)) {
      for (const label of by.split(", ")) expect(labels).toContain(label);
    }
  }
});

test("the dashboard shows every metric of ours but those that say little", async () => {
  const shown = new Set(expressions.flatMap(({ expr }) => namedIn(expr).map(({ name }) => name)));
  const missing = [...(await series()).keys()].filter(
    (name) => name.startsWith("spacefeed_") && !shown.has(name),
  );
  expect(missing).toEqual(["spacefeed_query_seconds_sum", "spacefeed_sleep_changes_total"]);
});

test("each variable that an expression uses is one of the dashboard's or of Grafana's", () => {
  const known = dashboard.templating.list.map(({ name }) => name);
  for (const { expr } of expressions) {
    for (const [, name] of expr.matchAll(/\$(\w+)/g)) expect([...known, "__rate_interval"]).toContain(name);
  }
});
