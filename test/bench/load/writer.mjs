// Writers in a process of their own: SQL for what reads a database, POST for what does not.

import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { percentile } from "../support/figures.mjs";
import { answer, mark, nowUs } from "./calls.mjs";

let number = 0;
let hands = [];

answer({
  /** `sql` has $1, a JSON array with one text; or `postTo` is an address. */
  open: async ({ databaseUrl, sql, values = [], postTo, sessions }) => {
    hands = postTo
      ? Array.from({ length: sessions }, () => poster(postTo))
      : await Promise.all(Array.from({ length: sessions }, () => inserter(databaseUrl, sql, values)));
  },
  /** So many messages a second, sent when they are due: one that takes long delays none. */
  paced: async ({ rate, count, bytes }) => {
    const start = nowUs();
    const taken = [];
    const sending = [];
    for (let n = 0; n < count; n++) {
      const wait = (start - nowUs()) / 1e3 + (n * 1e3) / rate;
      if (wait > 0) await delay(wait);
      sending.push(send(hands[n % hands.length], bytes, taken));
    }
    await Promise.all(sending);
    return {
      sent: count,
      seconds: (nowUs() - start) / 1e6,
      commit50: percentile(taken, 0.5),
      first: number - count,
    };
  },
  /** All sessions, each as fast as it is answered. */
  full: async ({ seconds, bytes }) => {
    const start = nowUs();
    const first = number;
    const taken = [];
    await Promise.all(
      hands.map(async (hand) => {
        while (nowUs() - start < seconds * 1e6) await send(hand, bytes, taken);
      }),
    );
    return { sent: number - first, seconds: (nowUs() - start) / 1e6, commit50: percentile(taken, 0.5) };
  },
});

async function send(hand, bytes, taken) {
  const begun = nowUs();
  await hand(textOf(bytes, number++));
  taken.push((nowUs() - begun) / 1e3);
}

/** A text of so many bytes that ends in the mark. */
const textOf = (bytes, n) => {
  const ending = mark(n);
  return "lorem ipsum dolor ".repeat(bytes / 18 + 1).slice(0, bytes - ending.length) + ending;
};

async function inserter(databaseUrl, sql, values) {
  const client = new pg.Client({ connectionString: databaseUrl, application_name: "spacefeed-bench" });
  client.on("error", () => {}); // the query that it breaks rejects as well
  await client.connect();
  // Prepared, as a driver of an application does it.
  // Queued here, not by the driver.
  let last = Promise.resolve();
  const write = (text) =>
    client.query({ name: "write", text: sql, values: [JSON.stringify([text]), ...values] });
  return (text) => {
    last = last.then(() => write(text));
    return last;
  };
}

function poster(url) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return (text) =>
    new Promise((resolve, reject) => {
      const headers = { "Content-Type": "application/json", "Content-Length": text.length + 4 };
      const posting = request(url, { method: "POST", agent, headers }, (response) => {
        response.resume().on("end", resolve);
      });
      posting.on("error", reject);
      posting.end(`["${text}"]`);
    });
}
