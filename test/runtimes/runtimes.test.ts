import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { post, useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SMOKE = "test/runtimes/smoke.mjs";
/** Where .ci/runtimes.sh installs them. */
const BIN = `${process.env.RUNTIMES_PATH ?? `${homedir()}/.cache/spacefeed-runtimes`}/node_modules/.bin`;
const RUNTIMES = [
  { name: "Node 24", program: `${BIN}/node`, args: [] },
  { name: "Deno", program: `${BIN}/deno`, args: ["run", "--allow-net", "--no-lock", "--quiet"] },
  { name: "Bun", program: `${BIN}/bun`, args: ["--no-install"] },
];

const db = useDatabase();
const relay = useRelay(db);

describe.each(RUNTIMES)("$name", ({ name, program, args }) => {
  const isThere = existsSync(program);
  if (!isThere)
    console.warn(
      `test/runtimes: ${name} is skipped: there is no ${program}; bash .ci/runtimes.sh installs it`,
    );
  test.skipIf(!isThere)("the client follows a space, changes it, and ends by itself", async (context) => {
    execFileSync(process.execPath, ["bin/prepare.mjs"], { cwd: ROOT });
    const spaceId = await newSpace(relay.current);
    await post(relay.current, "intentions", { action: "create", spaceId, data: { content: ["hello"] } });
    const child = spawn(program, [...args, SMOKE, relay.current.url, spaceId], { cwd: ROOT });
    let [said, faults] = ["", ""];
    child.stdout.on("data", (text) => {
      said += text;
    });
    child.stderr.on("data", (text) => {
      faults += text;
    });
    context.onTestFinished(() => void child.kill("SIGKILL"));
    const [code] = await once(child, "close");
    expect([faults, code]).toEqual(["", 0]);
    expect(JSON.parse(said)).toEqual({ runtime: name, first: ["hello"], refused: "not_found", kept: true });
  });
});
