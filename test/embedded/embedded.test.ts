import { once } from "node:events";
import * as fs from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  compiled,
  dir,
  logged,
  otherProcess,
  query,
  start,
  useEmbedded,
} from "../support/postgres/embedded.js";

useEmbedded();

test("the first start creates the database, durable and in UTF8, and answers a query", async () => {
  const { url } = await start();
  expect(url).toMatch(/^postgres:\/\/postgres@127\.0\.0\.1:\d+\/spacefeed$/);
  const show = (name: string) => `current_setting('${name}')`;
  const names = [
    "fsync",
    "max_connections",
    "listen_addresses",
    "unix_socket_directories",
    "server_encoding",
  ];
  expect(await query(url, `select ${names.map(show).join()}`)).toEqual([
    "on",
    "200",
    "127.0.0.1",
    "",
    "UTF8",
  ]);
  const locale = "select datlocprovider, datlocale from pg_database where datname = 'spacefeed'";
  expect(await query(url, locale)).toEqual(["b", "C.UTF-8"]);
  expect((await fs.readdir(join(dir, "data"))).sort()).toEqual(["postgres", "postgres.log", "spacefeed.pid"]);
});

test("the second start keeps the data and stop frees the directory", async () => {
  const first = await start();
  await query(first.url, "create table t as select 42 as answer");
  await Promise.all([first.stop(), first.stop()]);
  expect(await first.exited).toContain("database system is shut down");
  expect((await fs.readdir(join(dir, "data"))).sort()).toEqual(["postgres", "postgres.log"]);
  const second = await start();
  expect(await query(second.url, "select answer from t")).toEqual([42]);
});

test("a busy preferred port is avoided", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const { url } = await start(undefined, port);
  server.close();
  expect(new URL(url).port).not.toBe(String(port));
  expect(await query(url, "select 1")).toEqual([1]);
  expect(logged.join("\n")).toContain(`port ${port} is taken`);
});

test("a process that stops its Postgres ends by itself and leaves nothing", async () => {
  const { child, exit } = await otherProcess(compiled, join(dir, "data"));
  child.stdin?.write("stop\n");
  expect(await exit).toEqual([0, null]);
});
