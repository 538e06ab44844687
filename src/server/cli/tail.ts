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
    .action(follow);
}

async function follow(space: string, options: { url: string; since?: string }): Promise<void> {
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
    if (response?.body) await print(response.body, headers).catch(() => {});
    process.stderr.write("the connection is lost; reconnecting\n");
    await sleep(RECONNECT_MS);
  }
}

/** Prints each event of a stream until it ends, and has the next request begin after it. */
async function print(body: ReadableStream<Uint8Array>, headers: Record<string, string>): Promise<void> {
  const messages = body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  for await (const { event, id, data } of messages) {
    if (id) headers["Last-Event-ID"] = id;
    if (event === undefined) process.stdout.write(`${printable(data)}\n`);
  }
}

async function reasonIn(refusal: Response): Promise<string> {
  const said = await refusal.json().catch(() => ({}));
  return (
    (said as { error?: string }).error ??
    `${refusal.url} is no stream of a relay: its status is ${refusal.status}`
  );
}
