import { readFileSync } from "node:fs";

/** For spawn: Postgres and PgBouncer refuse to run as root. Empty for whoever is not root. */
export function unprivileged(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const accounts = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const account =
    accounts.find(([name]) => name === "postgres") ?? accounts.find(([name]) => name === "nobody");
  if (!account) throw new Error("neither a user postgres nor nobody");
  return { uid: Number(account[2]), gid: Number(account[3]) };
}
