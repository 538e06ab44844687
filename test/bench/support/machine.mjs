import { availableParallelism, cpus, loadavg, totalmem } from "node:os";

/** What the figures were measured on: a number without it says nothing. */
export async function machine(server) {
  const settings = [];
  for (const name of ["fsync", "synchronous_commit", "shared_buffers", "max_wal_size"]) {
    settings.push(`${name} ${await server.setting(name)}`);
  }
  return [
    `${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${availableParallelism()} cores, ${gigabytes(totalmem())} GB`,
    `Node ${process.versions.node}`,
    `Postgres ${await server.setting("server_version")} (${server.what}; ${settings.join(", ")})`,
    `load average before the start ${loadavg()[0].toFixed(2)}`,
    new Date().toISOString(),
  ].join("; ");
}

const gigabytes = (bytes) => Math.round(bytes / 2 ** 30);
