import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { SpacefeedError } from "../../protocol/errors.js";
import { command } from "./command.js";
import { printable } from "./printable.js";
import { addressOf } from "./relay-address.js";

const RECONNECT_MS = 1_000;

/** `spacefeed tail`: the events of a space, as they come. */
export function tail(): Command {
  return command(
    "tail",
    "print the events of a space as they come, one JSON text a line; SPACEFEED_TOKEN is sent as the token",
    "spacefeed tail lobby --since msg_120 | jq .type",
  )
    .argument("<space>", "the ID of the space")
    .option("--url <url>", "the relay", "http://127.0.0.1:8787")
    .option("--since <since>", "a cursor, a version, a message ID or a time")
    .option(
      "--until <until>",
      "a version or a cursor: end, with exit code 0, once the space has come to it; 1: refused",
      targetOf,
    )
    .action(follow);
}

/** Where a space is, or is to come to; `epoch`: only of a cursor. */
interface Target {
  epoch?: string | undefined;
  version: number;
}

function targetOf(text: string): Target {
  const [, epoch, version] = /^(?:(\w+)\.)?(\d{1,15})$/.exec(text) ?? [];
  if (version !== undefined) return { epoch, version: Number(version) };
  throw new SpacefeedError("config", `--until ${text} is neither a version, such as 17, nor a cursor`);
}

interface TailOptions {
  url: string;
  since?: string;
  until?: Target;
}

async function follow(space: string, options: TailOptions): Promise<void> {
  const url = addressOf(options.url, "/api/stream");
  url.searchParams.set("spaceId", space);
  if (options.since) url.searchParams.set("since", options.since);
  const headers: Record<string, string> = { Accept: "text/event-stream" };
  if (process.env.SPACEFEED_TOKEN) headers.Authorization = `Bearer ${process.env.SPACEFEED_TOKEN}`;

  process.stdout.on("error", () => process.exit(0)); // the reader of the pipe has had enough
  for (;;) {
    const response = await fetch(url, { headers }).catch(() => undefined);
    const type = response?.headers.get("Content-Type");
    if (response && !type?.startsWith("text/event-stream")) {
      throw new SpacefeedError("config", await reasonIn(response));
    }
    if (response?.body && (await print(response.body, headers, options.until))) return;
    process.stderr.write("the connection is lost; reconnecting\n");
    await sleep(RECONNECT_MS);
  }
}

/**
 * Prints each event of a stream until it ends, and has the next request begin after it. True: the space has come to
 * where it was to come to. Throws `config` where that is in no future of it.
 */
async function print(
  body: ReadableStream<Uint8Array>,
  headers: Record<string, string>,
  until?: Target,
): Promise<boolean> {
  const messages = body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  try {
    for await (const { event, id, data } of messages) {
      if (id) headers["Last-Event-ID"] = id;
      if (event === undefined) process.stdout.write(`${printable(data)}\n`);
      if (until && id && isThere(targetOf(id), until)) return true;
      if (until && event === "heartbeat" && isThere(JSON.parse(data), until)) return true;
    }
  } catch (error) {
    if (error instanceof SpacefeedError) throw error; // else the connection is lost
  }
  return false;
}

function isThere({ epoch, version }: { epoch?: string | undefined; version: number | null }, until: Target) {
  if (epoch && until.epoch && epoch !== until.epoch) {
    throw new SpacefeedError(
      "config",
      `--until: the cursors of this space begin with ${epoch}. now: the database was restored or replaced`,
    );
  }
  return (version ?? -1) >= until.version;
}

async function reasonIn(refusal: Response): Promise<string> {
  const said = await refusal.json().catch(() => ({}));
  return (
    (said as { error?: string }).error ??
    `${refusal.url} is no stream of a relay: its status is ${refusal.status}`
  );
}
