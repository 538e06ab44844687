import { spawn, spawnSync } from "node:child_process";

export const hasPsql = () => spawnSync("psql", ["--version"]).status === 0;

/** One psql that stays open; run() resolves when it has printed the answer to a statement. */
export function openPsql(databaseUrl) {
  const child = spawn("psql", ["-X", "-v", "ON_ERROR_STOP=1", databaseUrl], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let answered = () => {};
  child.stdout.on("data", () => answered());
  return {
    run: (sql) =>
      new Promise((resolve, reject) => {
        answered = resolve;
        child.once("exit", reject);
        child.stdin.write(`${sql};\n`, () => child.off("exit", reject));
      }),
    close: () => child.stdin.end(),
  };
}
