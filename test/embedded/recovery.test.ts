import * as fs from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import {
  children,
  compiled,
  dir,
  logged,
  otherProcess,
  pidOf,
  postmasters,
  query,
  start,
  useEmbedded,
} from "../support/postgres/embedded.js";

useEmbedded();

test("an orphan of a killed owner is stopped and its data are kept", async () => {
  const owner = await otherProcess(compiled, join(dir, "data"));
  await query(owner.url, "create table t as select 42 as answer");
  const orphan = await pidOf(join(dir, "data"));
  owner.child.kill("SIGKILL");
  await owner.exit;
  expect(postmasters()).toHaveLength(1);
  const { url } = await start();
  expect(await pidOf(join(dir, "data"))).not.toBe(orphan);
  expect(await query(url, "select answer from t")).toEqual([42]);
  expect(logged).toContain(`stopping the Postgres (process ${orphan}) that a killed Spacefeed left behind`);
});

test("after a kill of owner and Postgres both, Postgres recovers what was committed", async () => {
  const owner = await otherProcess(compiled, join(dir, "data"));
  await query(owner.url, "create table t as select 42 as answer");
  process.kill(await pidOf(join(dir, "data")), "SIGKILL");
  owner.child.kill("SIGKILL");
  await owner.exit;
  const { url } = await start();
  expect(await query(url, "select answer from t")).toEqual([42]);
});

test("a data directory of a living owner is refused with its pid and url", async () => {
  const owner = await otherProcess(compiled, join(dir, "data"));
  const message = new RegExp(`process ${owner.child.pid},.*set DATABASE_URL to ${owner.url}.*DATA_DIR`);
  await expect(start()).rejects.toMatchObject({ code: "config", message: expect.stringMatching(message) });
  expect(await query(owner.url, "select 1")).toEqual([1]);
  owner.child.stdin?.write("stop\n");
  await owner.exit;
});

test("of many starts at once over a dead owner's file exactly one wins", async () => {
  const first = await start();
  await first.stop();
  await fs.writeFile(join(dir, "data", "spacefeed.pid"), "999999999\n\n");
  const all = await Promise.allSettled(Array.from({ length: 8 }, () => start()));
  expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
});

test("pids that other processes reuse do not hinder a start", async () => {
  const first = await start();
  await query(first.url, "create table t as select 42 as answer");
  await first.stop();
  // This process is alive, but it did not start then, and it is no Postgres.
  await fs.writeFile(join(dir, "data", "spacefeed.pid"), `${process.ppid}\nearlier boot 1\n`);
  const lock = [process.ppid, join(dir, "data", "postgres"), 1, 54329, "", "127.0.0.1", "", "ready"].join(
    "\n",
  );
  await fs.writeFile(join(dir, "data", "postgres", "postmaster.pid"), lock);
  const { url } = await start();
  expect(await query(url, "select answer from t")).toEqual([42]);
});

test("the end of Postgres is reported, and stop then still returns", async () => {
  const postgres = await start();
  process.kill(await pidOf(join(dir, "data")), "SIGKILL");
  expect(await postgres.exited).toContain("was ended by SIGKILL");
  await postgres.stop();
  const again = await start();
  expect(await query(again.url, "select 1")).toEqual([1]);
});

test("stop is bounded when Postgres does not react", async () => {
  const postgres = await start();
  process.kill(await pidOf(join(dir, "data")), "SIGSTOP");
  await postgres.stop();
  expect(await postgres.exited).toContain("SIGKILL");
  await vi.waitFor(() => expect(postmasters()).toEqual([]), 5000);
});

test("a half made cluster of a killed initdb is swept away", async () => {
  const half = join(dir, "data", "postgres.init-abcdef");
  await fs.mkdir(join(half, "base"), { recursive: true });
  const { url } = await start();
  expect(await query(url, "select 1")).toEqual([1]);
  expect(await fs.readdir(join(dir, "data"))).not.toContain("postgres.init-abcdef");
});

test("an owner killed in the middle of initdb leaves a directory that the next start can use", async () => {
  const starting = otherProcess(compiled, join(dir, "data"));
  await vi.waitFor(async () => {
    const draft = (await fs.readdir(join(dir, "data"))).find((name) => name.startsWith("postgres.init-"));
    await fs.access(join(dir, "data", draft ?? "", "base"));
  }, 10_000);
  children[0]?.kill("SIGKILL");
  await starting;
  const { url } = await start();
  expect(await query(url, "select 1")).toEqual([1]);
  await delay(500); // an initdb that went on would show up again
  expect((await fs.readdir(join(dir, "data"))).sort()).toEqual(["postgres", "postgres.log", "spacefeed.pid"]);
});

test("a damaged data directory is an error with Postgres' own reason", async () => {
  await (await start()).stop();
  await fs.rm(join(dir, "data", "postgres", "global", "pg_control"));
  const message = expect.stringMatching(/could not find the database system.*set DATABASE_URL/s);
  await expect(start()).rejects.toMatchObject({ code: "config", message });
  expect(await fs.readdir(join(dir, "data"))).not.toContain("spacefeed.pid");
});

test("a data directory of another version is an error that names both", async () => {
  await (await start()).stop();
  await fs.writeFile(join(dir, "data", "postgres", "PG_VERSION"), "15\n");
  const message = expect.stringMatching(/initialized by PostgreSQL version 15.*not compatible/);
  await expect(start()).rejects.toMatchObject({ code: "config", message });
});
