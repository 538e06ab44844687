import { execFileSync } from "node:child_process";
import * as fs from "node:fs/promises";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import {
  clone,
  dir,
  inStore,
  isRoot,
  logged,
  otherProcess,
  platform,
  platformPackage,
  query,
  removeLinks,
  start,
  store,
  useEmbedded,
} from "../support/postgres/embedded.js";

useEmbedded();

test("a package without its symlinks, as npm without postinstall leaves it, runs", async () => {
  await removeLinks(await clone(dir));
  const owner = await otherProcess(dir, join(dir, "data"));
  expect(await query(owner.url, "select 1")).toEqual([1]);
  owner.child.stdin?.write("stop\n");
  await owner.exit;
});

test("a broken binary is an error with its reason, and nothing of it is kept", async () => {
  // A good copy that an earlier start of root has left would be used instead.
  const kept = (await inStore()).filter((name) => name.startsWith(platform));
  for (const name of kept) await fs.rename(join(store, name), join(store, `aside-${name}`));
  const before = await inStore();
  const native = await clone(dir);
  await fs.writeFile(
    join(native, "bin", "postgres"),
    "#!/bin/sh\necho 'libz.so.9: not here' >&2\nexit 127\n",
  );
  const { error, exit } = await otherProcess(dir, join(dir, "data"));
  expect(error?.code).toBe("config");
  expect(error?.message).toMatch(/libz\.so\.9: not here.*set DATABASE_URL to a Postgres 14 to 18/s);
  expect(await exit).toEqual([0, null]);
  expect(await fs.readdir(join(dir, "data"))).toEqual([]);
  const after = await inStore();
  for (const name of kept) await fs.rename(join(store, `aside-${name}`), join(store, name));
  expect(after.filter((name) => !before.includes(name))).toEqual([]);
});

test("a platform without a package is an error that names the way out", async () => {
  await clone(dir);
  await fs.rm(join(dir, platformPackage), { recursive: true });
  const { error } = await otherProcess(dir, join(dir, "data"));
  const message = `${basename(platformPackage)} is not installed`;
  expect(error).toMatchObject({ code: "config", message: expect.stringContaining(message) });
  expect(error?.message).toContain("set DATABASE_URL to a Postgres 14 to 18");
});

test.runIf(isRoot)(
  "root in a clone of mode 0700 runs Postgres elsewhere and finds the data again",
  async () => {
    await removeLinks(await clone(dir));
    await fs.chmod(dir, 0o700);
    const before = await fs.readdir(dir, { recursive: true });
    const first = await otherProcess(dir, join(dir, "data"));
    await query(first.url, "create table t as select 42 as answer");
    first.child.stdin?.write("stop\n");
    await first.exit;
    const place = /is in (\/var\/lib\/spacefeed\/[0-9a-f]{16}),/.exec(logged.join("\n"))?.[1] ?? "";
    expect((await fs.readdir(place)).sort()).toEqual(["postgres", "postgres.log"]);

    // The clone may be opened later: the data stay where they are.
    await fs.chmod(dir, 0o755);
    const second = await otherProcess(dir, join(dir, "data"));
    expect(await query(second.url, "select answer from t")).toEqual([42]);
    second.child.kill("SIGKILL");
    await second.exit;
    const third = await start();
    expect(await query(third.url, "select answer from t")).toEqual([42]);
    await third.stop();
    const added = (await fs.readdir(dir, { recursive: true })).filter((name) => !before.includes(name));
    expect(added.filter((name) => !name.includes(platformPackage))).toEqual(["data"]);
  },
);

test.runIf(isRoot)("a copy of the binaries that others can write is refused", async () => {
  await clone(dir);
  const { version } = JSON.parse(await fs.readFile(join(dir, platformPackage, "package.json"), "utf8"));
  const copy = join(store, `${platform}-${version}`);
  await fs.mkdir(copy, { recursive: true });
  await fs.chmod(copy, 0o777);
  await fs.chmod(dir, 0o700);
  const { error } = await otherProcess(dir, join(dir, "data"));
  await fs.chmod(copy, 0o755);
  expect(error?.message).toContain(`${copy} is not a directory that only root can write`);
});

test.runIf(isRoot)("data that became unreachable are an error and not an empty database", async () => {
  await (await start()).stop();
  await fs.chmod(dir, 0o700);
  await expect(start()).rejects.toMatchObject({
    code: "config",
    message: expect.stringContaining("chmod o+x"),
  });
});

test.runIf(isRoot)("a user who cannot write node_modules gets the copy in the data directory", async () => {
  await removeLinks(await clone(dir));
  await fs.mkdir(join(dir, "data"));
  await fs.chown(join(dir, "data"), 65534, 65534);
  const script = `process.setgid(65534); process.setuid(65534);
    const { startEmbedded } = await import(${JSON.stringify(join(dir, "dist/embedded/embedded.js"))});
    const postgres = await startEmbedded({ dataDir: "data", port: 0, log: () => {} });
    await postgres.stop();`;
  execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd: dir });
  const names = await fs.readdir(join(dir, "data"));
  expect(names.filter((name) => name.startsWith(platform))).toHaveLength(1);
  // Root afterwards runs as the owner of the data.
  expect(await query((await start()).url, "select 1")).toEqual([1]);
});
