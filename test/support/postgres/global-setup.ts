import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { GenericContainer, type StartedTestContainer, Wait } from "testcontainers";
import type { TestProject } from "vitest/node";
import { startEmbedded } from "../../../src/embedded/embedded.js";
import { migrate } from "../../../src/server/postgres/migrate.js";

declare module "vitest" {
  interface ProvidedContext {
    /** A superuser's connection string to the server that this run has; its database is the template. */
    templateUrl: string;
  }
}

/** A Postgres server for this run. */
interface Source {
  what: string;
  url: string;
  stop(): Promise<void>;
}

/**
 * Where the database of a run comes from: TEST_DATABASE_URL, else testcontainers where a Docker engine
 * answers and has or gets the image, else the embedded Postgres. TEST_DATABASE=embedded or testcontainers
 * decides it, and then a source that is not to be had fails the run.
 */
async function findSource(): Promise<Source> {
  const wanted = process.env.TEST_DATABASE;
  const given = process.env.TEST_DATABASE_URL;
  if (given) return { what: "TEST_DATABASE_URL", url: given, stop: async () => {} };
  if (wanted === "embedded") return embedded();
  try {
    return await container();
  } catch (error) {
    if (wanted === "testcontainers") throw error;
    return embedded();
  }
}

async function container(): Promise<Source> {
  const image = process.env.TEST_POSTGRES_IMAGE ?? "postgres:18";
  const password = "test";
  const started: StartedTestContainer = await new GenericContainer(image)
    .withEnvironment({ POSTGRES_PASSWORD: password })
    .withCommand(["postgres", "-c", "fsync=off", "-c", "max_connections=300"])
    .withExposedPorts(5432)
    // Twice: the image's first start is for initdb only.
    .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2))
    .start();
  return {
    what: `testcontainers, image ${image}`,
    url: `postgres://postgres:${password}@${started.getHost()}:${started.getMappedPort(5432)}/postgres`,
    stop: async () => {
      await started.stop();
    },
  };
}

async function embedded(): Promise<Source> {
  const dataDir = await mkdtemp(join(tmpdir(), "spacefeed-test-"));
  await chmod(dataDir, 0o755); // root's Postgres is another user, and would have its data elsewhere
  const server = await startEmbedded({ dataDir, port: 54_400, log: () => {} });
  return {
    what: "embedded",
    url: server.url,
    stop: async () => {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const source = await findSource();
  const template = `spacefeed_template_${process.pid}`;
  const admin = new pg.Client({ connectionString: source.url });
  await admin.connect();
  const version = await admin.query<{ server_version: string }>("show server_version");
  process.stdout.write(`Postgres ${version.rows[0]?.server_version} (${source.what})\n`);
  await admin.query(`create database ${template}`);

  const templateUrl = new URL(source.url);
  templateUrl.pathname = `/${template}`;
  await migrate(templateUrl.href, "up");
  project.provide("templateUrl", templateUrl.href);

  return async () => {
    await admin.query(`drop database ${template}`);
    await admin.end();
    await source.stop();
  };
}
