import { execFile } from "node:child_process";
import { chmod, chown, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readConfig } from "../../src/server/config.js";
import { asLibpq } from "../../src/server/postgres/tls.js";
import { Cluster, POSTGRES_BIN } from "../support/postgres/cluster.js";
import { useDatabase } from "../support/postgres/database.js";
import { unprivileged } from "../support/postgres/unprivileged.js";
import { startTestRelay } from "../support/relay/relay.js";

const run = promisify(execFile);
const IS_TLS = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
const db = useDatabase();

describe.skipIf(!POSTGRES_BIN)(
  "a Postgres with a certificate of its own making (skipped where no Postgres is)",
  () => {
    let cluster: Cluster;
    let ca: string;
    let bin: string;

    beforeAll(async () => {
      const root = await Cluster.directory();
      cluster = await Cluster.create(root, "tls");
      ca = join(root, "server.crt");
      const key = join(root, "server.key");
      const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
      await run("openssl", [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        key,
        "-out",
        ca,
        ...names,
      ]);
      await chmod(key, 0o600);
      await chmod(ca, 0o644);
      const { uid, gid } = unprivileged();
      if (uid !== undefined && gid !== undefined) await chown(key, uid, gid);
      await writeFile(
        join(cluster.data, "pg_hba.conf"),
        [
          "hostssl all tls_only all trust",
          "hostnossl all plain_only all trust",
          "host all postgres all trust",
        ].join("\n"),
      );
      await cluster.configure("ssl = on", `ssl_cert_file = '${ca}'`, `ssl_key_file = '${key}'`);
      await cluster.start();
      const session = await cluster.session();
      await session.run("create role tls_only superuser login", "create role plain_only superuser login");
      bin = join(POSTGRES_BIN as string, "psql");
    }, 60_000);
    afterAll(async () => {
      await cluster.stop("immediate");
      await rm(cluster.root, { recursive: true, force: true });
    });

    /** "t" with TLS, "f" without, or "refused". */
    async function byPsql(url: string, env: Record<string, string>): Promise<string> {
      const home = { PATH: process.env.PATH, HOME: cluster.root, PGCONNECT_TIMEOUT: "10", ...env };
      return run(bin, [url, "-Atc", IS_TLS], { env: home }).then(
        ({ stdout }) => stdout.trim(),
        () => "refused",
      );
    }
    async function byRelay(url: string, env: Record<string, string>): Promise<string> {
      try {
        const connectionString = await asLibpq(readConfig({ DATABASE_URL: url }).databaseUrl as string, env);
        const client = new pg.Client({ connectionString });
        try {
          await client.connect();
          return (await client.query<{ ssl: boolean }>(IS_TLS)).rows[0]?.ssl ? "t" : "f";
        } finally {
          await client.end().catch(() => {});
        }
      } catch {
        return "refused";
      }
    }

    const MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
    const cases = ["postgres", "tls_only", "plain_only"].flatMap((user) =>
      [undefined, ...MODES].flatMap((mode) =>
        (user === "postgres" ? ["", "its own"] : [""]).map((certificate) => ({ user, mode, certificate })),
      ),
    );

    test("a relay connects where psql does, with TLS where psql has it, and is refused where psql is", async () => {
      const told: string[] = [];
      const seen = new Set<string>();
      for (const { user, mode, certificate } of cases) {
        for (const host of mode?.startsWith("verify") ? ["localhost", "127.0.0.1"] : ["127.0.0.1"]) {
          const url = new URL(`postgres://${user}@${host}:${cluster.port}/postgres`);
          if (mode) url.searchParams.set("sslmode", mode);
          if (certificate) url.searchParams.set("sslrootcert", ca);
          const expected = await byPsql(url.href, {});
          const actual = await byRelay(url.href, {});
          seen.add(`${mode} ${expected}`);
          // psql tries without TLS first with `allow`: what it finds may be either.
          const isRight =
            mode === "allow" ? (actual === "refused") === (expected === "refused") : actual === expected;
          if (!isRight)
            told.push(`${user} ${host} ${mode} ${certificate}: psql ${expected}, relay ${actual}`);
        }
      }
      expect(told).toEqual([]);
      expect([...seen]).toEqual(
        expect.arrayContaining(["require t", "prefer f", "verify-ca t", "verify-full refused"]),
      );
    });

    test("the environment of psql holds, where the address says nothing", async () => {
      const { url } = cluster;
      for (const env of [
        { PGSSLMODE: "disable" },
        { PGSSLMODE: "require" },
        { PGSSLMODE: "verify-ca", PGSSLROOTCERT: ca },
      ]) {
        const asked = env as unknown as Record<string, string>;
        expect([env, await byRelay(url, asked)]).toEqual([env, await byPsql(url, asked)]);
      }
    });

    test("all of a relay's sessions are encrypted with sslmode=require, and serve", async () => {
      const relay = await startTestRelay({ ...db, url: `${cluster.url}?sslmode=require` });
      const session = await cluster.session();
      const sessions = await session.query(
        "select distinct a.application_name, s.ssl from pg_stat_ssl s join pg_stat_activity a using (pid) where application_name ^@ 'spacefeed'",
      );
      const ready = await fetch(`${relay.url}/readyz`);
      await relay.close();
      expect(ready.status).toBe(200);
      expect(sessions.map(({ ssl }) => ssl)).not.toContain(false);
      expect(sessions.length).toBeGreaterThanOrEqual(2);
    });
  },
);

test.each([
  ["postgres://me:s3cr#et@db/app", "the user or the password has a raw #: write it as %23"],
  ["postgres://me:12#s3cret@db/app", "the user or the password has a raw #: write it as %23"],
  ["postgres://me:s3c/ret@db/app", "the user or the password has a raw /: write it as %2F"],
  ["postgres://me:12/s3cret@db/app", "the user or the password has a raw /: write it as %2F"],
  ["postgres://me:s3c?ret@db/app", "the user or the password has a raw ?: write it as %3F"],
  ["postgres://me:s3cret%c3@db/app", "the user, the password or the database is not escaped: "],
  ["postgres://me:s3cret@one:5432,two:5432/app", "the host is a list, "],
  ["postgres://me:s3cret@/app?host=one,two", "the host is a list, "],
  ["postgres://me:s3cret@::1/app", 'the host or the port has a raw ":": '],
  ["postgres://me:s3cret@db:s3cret/app", "the port is not a number from 1 to 65535; "],
  ["postgres://me:s3cret@db:99999/app", "the port is not a number from 1 to 65535; "],
  ["postgres://me:s3cret@d^b/app", "the host is not a valid name or address; "],
  ["postgres://me:s3cret@db/app?sslmode=required", "sslmode must be one of disable, "],
  [
    "postgres://me:s3cret@db/app?sslrootcert=/no/where",
    "a file of sslrootcert, sslcert or sslkey cannot be read (ENOENT)",
  ],
  ["postgres://me:s3cret@db?dbname=app", "dbname is not read: "],
  ["postgres://me:s3cret@db/app#main", "the end has a raw #: write it as %23"],
])("a wrong address of a database names its wrong part, and never the secret: %s", (url, fault) => {
  for (const name of ["DATABASE_URL", "LISTEN_DATABASE_URL"]) {
    let message = "";
    try {
      readConfig({ [name]: url });
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain(`${name}: ${fault}`);
    expect(message).not.toMatch(/s3c|ret@/);
  }
});

test.each([
  "postgres://db/app",
  "postgres://me@[::1]:5432/app",
  "postgres://me:a%23b%2Fc%40d@db:5432/app?application_name=a@b",
  "postgres://me:p@ss:word@db/app",
  "postgres:///app?host=/var/run/postgresql&user=me",
  "postgres://me@/app?host=/var/run/postgresql&port=5433",
  "postgres://me@%2Fvar%2Frun%2Fpostgresql/app",
  "postgresql://me@db.example/app?sslmode=verify-full&sslrootcert=system&options=-c%20work_mem%3D8MB",
  "postgres://me:50%x@db/app",
])("an address that works with psql is taken: %s", (url) => {
  expect(readConfig({ DATABASE_URL: url }).databaseUrl).toBe(url);
});
