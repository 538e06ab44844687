import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import logUpdate from "log-update";
import { command, countOf } from "./command.js";
import { asDba } from "./dba.js";
import { addressOf } from "./relay-address.js";
import { type Between, between, look } from "./top-look.js";
import { screenOf } from "./top-screen.js";

interface Options {
  url: string;
  once?: true;
  json?: true;
  every: number;
  spaces: number;
}

/** `spacefeed top`: who is busy, again and again. In a terminal each look takes the place of the one before. */
export function top(): Command {
  return command(
    "top",
    "show the busiest spaces, who records, and a relay's readers, again and again",
    "spacefeed top --every 5 --url http://relay:8787",
  )
    .option("--url <url>", "the relay, which is asked for /metrics", "http://127.0.0.1:8787")
    .option("--once", "one look, and no more")
    .option("--json", "one JSON text a look")
    .option("--every <seconds>", "between two looks", countOf("--every"), 2)
    .option("--spaces <number>", "how many of the busiest", countOf("--spaces"), 15)
    .action((options: Options) =>
      asDba("top", (dba) => watch(options, () => look(dba, addressOf(options.url, "/metrics")))),
    );
}

async function watch(
  { once, json, every, spaces }: Options,
  takeLook: () => ReturnType<typeof look>,
): Promise<void> {
  process.stdout.on("error", () => process.exit(0)); // the reader of the pipe has had enough
  const isLive = process.stdout.isTTY && process.stdout.columns > 0 && !once && !json; // some have no size
  const textOf = (now: Between) =>
    json ? `${JSON.stringify({ ...now, busiest: now.busiest.slice(0, spaces) })}\n` : screenOf(now, spaces);
  let before = await takeLook();
  do {
    await sleep(every * 1_000);
    const now = await takeLook();
    const text = textOf(between(before, now));
    if (isLive) logUpdate(`${text}\nCtrl-C ends it.`);
    else process.stdout.write(json || once ? text : `${text}\n`);
    before = now;
  } while (!once);
}
