// Many clients in one process, as cheap as can be: of what a socket brings they read the marks of the messages and
// nothing else. Its CPU is nobody's.

import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { answer, MARK, MARK_LENGTH, nowUs } from "./calls.mjs";
import { Latencies } from "./latencies.mjs";

/** Connections from one address: below the ports that there are, and below a relay's limit for an address. */
const OF_AN_ADDRESS = 2_000;
/** As a burst, without running over the queue of a server that listens. */
const AT_ONCE = 400;
const TRIES = 5;
const TRY_AGAIN_MS = 100;
const buffer = Buffer.allocUnsafe(256 * 1024);

const clients = new Set();
let latencies = new Latencies(0);
let deliveries = 0;
let look = () => {};

answer({
  open,
  /** Forgets what has been counted. */
  reset: () => {
    latencies = new Latencies(clients.size);
    deliveries = 0;
  },
  deliveries: () => deliveries,
  /** Resolves when so many messages have come, or so many times the one with that number, or after some time. */
  until: async ({ count, number, ms }) => {
    await untilSeen(
      number === undefined ? () => deliveries >= count : () => latencies.countOf(number) >= count,
      ms,
    );
    return { deliveries };
  },
  report: () => ({ deliveries, ...latencies.report() }),
  close: async () => {
    for (const socket of clients) socket.resetAndDestroy();
    clients.clear();
  },
});

/**
 * Opens `count` streams, the n-th of them with the n-th cursor (again from the first after the last). Resolves
 * when each has had the head of its answer.
 */
async function open({ port, path, count, cursors, untilOpen = true }) {
  let next = 0;
  const opened = [];
  const openNext = async () => {
    while (next < count) {
      const n = next++;
      const cursor = cursors?.[n % cursors.length];
      const client = openPatiently({ port, path, cursor, localAddress: addressOf(clients.size) });
      opened.push(client);
      if (untilOpen) await client;
    }
  };
  await Promise.all(Array.from({ length: untilOpen ? Math.min(count, AT_ONCE) : 1 }, openNext));
  await Promise.all(opened);
  return { open: clients.size };
}

const addressOf = (n) => `127.0.0.${2 + Math.floor(n / OF_AN_ADDRESS)}`;

/** A server whose queue is full resets a connection, and its client tries again. */
async function openPatiently(stream) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await openOne(stream);
    } catch (error) {
      if (error.code !== "ECONNRESET" || attempt === TRIES) throw error;
      await delay(TRY_AGAIN_MS);
    }
  }
}

function openOne({ port, path, cursor, localAddress }) {
  return new Promise((resolve, reject) => {
    let isOpen = false;
    let rest;
    const onread = {
      buffer,
      callback: (length, bytes) => {
        if (!isOpen) {
          isOpen = true;
          const status = bytes.latin1Slice(9, 12);
          if (status !== "200") reject(new Error(`a stream answers ${bytes.latin1Slice(0, length)}`));
          resolve();
        }
        rest = count(rest, bytes, length);
        return true;
      },
    };
    const socket = connect({ host: "127.0.0.1", port, localAddress, onread, noDelay: true });
    socket.once("connect", () => {
      const resume = cursor ? `Last-Event-ID: ${cursor}\r\n` : "";
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n${resume}\r\n`);
    });
    socket.once("error", reject);
    socket.once("close", () => {
      clients.delete(socket);
      reject(new Error("a stream ended before it began"));
    });
    clients.add(socket);
  });
}

/** Counts the whole marks; returns the beginning of one that goes on in what comes next. */
function count(rest, bytes, length) {
  const chunk = rest ? Buffer.concat([rest, bytes.subarray(0, length)]) : bytes.subarray(0, length);
  const now = nowUs();
  let at = chunk.indexOf(MARK);
  while (at !== -1) {
    if (at + MARK_LENGTH > chunk.length) return Buffer.from(chunk.subarray(at));
    latencies.add(now, digits(chunk, at + 1, 16), digits(chunk, at + 17, 8));
    deliveries++;
    at = chunk.indexOf(MARK, at + MARK_LENGTH);
  }
  look();
  return undefined;
}

function digits(chunk, from, length) {
  let value = 0;
  for (let at = from; at < from + length; at++) value = value * 10 + chunk[at] - 48;
  return value;
}

function untilSeen(isSeen, ms) {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      look = () => {};
      resolve();
    };
    const timer = setTimeout(finish, ms);
    look = () => {
      if (isSeen()) finish();
    };
    look();
  });
}
