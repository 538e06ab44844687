// Processes that are measured or that make load, and what the operating system says of them.

import { execFileSync, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const running = new Set();
const TICKS = Number(execFileSync("getconf", ["CLK_TCK"]));
const STOP_MS = 8_000;

process.on("exit", endAll);

/** Ends what is still running, at once. */
export function endAll() {
  for (const child of running) child.kill("SIGTERM");
}

/** Remembers a child, so that it does not outlive us; stop() ends it, and resolves when it has ended. */
export function own(child) {
  running.add(child);
  const exited = once(child, "exit").finally(() => running.delete(child));
  exited.catch(() => {});
  return {
    pid: child.pid,
    exited,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      const impatient = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      await exited;
      clearTimeout(impatient);
    },
  };
}

export function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], ...options });
  child.on("error", () => {}); // "exit" does not follow, but the first answer does not come
  return { child, ...own(child) };
}

/**
 * A module in a process of its own that answers calls: it ends when we end. `call(name, argument)` resolves to
 * what its function of that name returns. See load/calls.mjs for the other end.
 */
export function startModule(path, environment = {}) {
  const child = fork(fileURLToPath(new URL(`../${path}`, import.meta.url)), {
    env: { ...process.env, ...environment },
  });
  const waiting = new Map();
  let calls = 0;
  const { pid, exited, stop } = own(child);
  const gone = exited.then(() => Promise.reject(new Error(`${path} has ended`)));
  gone.catch(() => {});
  /** Of a server: where it is. */
  const firstMessage = Promise.race([once(child, "message").then(([message]) => message), gone]);
  firstMessage.catch(() => {});
  child.on("message", ({ id, result, error }) => {
    if (!waiting.has(id)) return;
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error) reject(new Error(error));
    else resolve(result);
  });
  child.on("exit", (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`${path} ended with ${signal ?? code}`));
  });
  const call = (name, argument) =>
    new Promise((resolve, reject) => {
      if (!child.connected) return reject(new Error(`${path} has ended`));
      waiting.set(++calls, { resolve, reject });
      child.send({ id: calls, name, argument });
    });
  return { call, firstMessage, pid, exited, stop };
}

/** CPU seconds that the processes have used. */
export const cpuOf = (pids) => pids.reduce((sum, pid) => sum + ticksOf(pid, 13, 14) / TICKS, 0);

/** CPU seconds of a process, of its children, and of those that have ended. */
export function cpuOfFamily(parent) {
  return cpuOf([parent, ...childrenOf(parent)]) + ticksOf(parent, 15, 16) / TICKS;
}

export function childrenOf(parent) {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(fieldsOf(name)?.[3]) === parent)
    .map(Number);
}

/** The parent of a process, if both are programs of that name here. */
export function parentOf(pid, name) {
  const parent = Number(fieldsOf(pid)?.[3]);
  const isNamed = (which) => fieldsOf(which)?.[1] === name;
  return parent && isNamed(pid) && isNamed(parent) ? parent : undefined;
}

/** Bytes of memory that the processes have resident (RSS). */
export function memoryOf(pids) {
  return pids.reduce((sum, pid) => {
    const [, kilobytes] = readFileSync(`/proc/${pid}/status`, "utf8").match(/^VmRSS:\s+(\d+) kB/m);
    return sum + Number(kilobytes) * 1024;
  }, 0);
}

/** Files that a process may have open: a socket is one. */
export function mostOpenFiles() {
  const [, hard] = readFileSync("/proc/self/limits", "utf8").match(/^Max open files\s+\S+\s+(\S+)/m);
  return hard === "unlimited" ? Number.POSITIVE_INFINITY : Number(hard);
}

function ticksOf(pid, ...indexes) {
  const fields = fieldsOf(pid);
  return indexes.reduce((sum, index) => sum + Number(fields?.[index] ?? 0), 0);
}

/** The fields of /proc/<pid>/stat, of which the second is a name that may have spaces. */
function fieldsOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const name = text.slice(text.indexOf("(") + 1, text.lastIndexOf(")"));
    return [pid, name, ...text.slice(text.lastIndexOf(")") + 2).split(" ")];
  } catch {
    return undefined; // it has ended
  }
}
