import type { Session } from "./session.js";

/** One node of a plan that ran: how it read a table, and how many rows it gave in all its loops. */
export interface Scan {
  node: string;
  /** Schema and name of the table; "" for a join that threw pairs of rows away, which are its rows then. */
  table: string;
  rows: number;
}

interface PlanNode {
  "Node Type": string;
  "Relation Name"?: string;
  Schema?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  "Rows Removed by Join Filter"?: number;
  Plans?: PlanNode[];
}

/** Turns on auto_explain in the session: plans come as notices, also of the statements inside functions. */
export async function explainEverything(s: Session): Promise<void> {
  await s.run(
    "load 'auto_explain'",
    "set auto_explain.log_min_duration = 0",
    "set auto_explain.log_nested_statements = on",
    "set auto_explain.log_analyze = on",
    "set auto_explain.log_verbose = on",
    "set auto_explain.log_timing = off",
    "set auto_explain.log_format = json",
    "set auto_explain.log_level = notice",
    "set client_min_messages = notice",
  );
}

/** Runs a statement in such a session and gives every scan of a table that was part of it, those inside functions too. */
export async function scansOf(s: Session, text: string, values?: unknown[]): Promise<Scan[]> {
  const scans: Scan[] = [];
  const collect = (plan: PlanNode) => {
    if (plan["Relation Name"] !== undefined && plan["Actual Loops"] > 0) {
      const rows = plan["Actual Rows"] + (plan["Rows Removed by Filter"] ?? 0);
      scans.push({
        node: plan["Node Type"],
        table: `${plan.Schema}.${plan["Relation Name"]}`,
        rows: Math.round(rows * plan["Actual Loops"]),
      });
    }
    const pairs = plan["Rows Removed by Join Filter"] ?? 0;
    if (pairs > 0) scans.push({ node: plan["Node Type"], table: "", rows: pairs * plan["Actual Loops"] });
    plan.Plans?.forEach(collect);
  };
  const listen = (notice: { message?: string | undefined }) => {
    const [, json] = /plan:\n(.*)$/s.exec(notice.message ?? "") ?? [];
    if (json) collect((JSON.parse(json) as { Plan: PlanNode }).Plan);
  };
  s.client.on("notice", listen);
  await s.query(text, values);
  s.client.off("notice", listen);
  return scans;
}
