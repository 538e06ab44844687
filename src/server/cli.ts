import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { type Logger, pino } from "pino";
import { SpacefeedError } from "../protocol/errors.js";
import { type Config, readConfig } from "./config.js";
import { migrate, migrationStatus, schemaSql } from "./postgres/migrate.js";
import { asLibpq } from "./postgres/tls.js";
import { startRelay } from "./relay.js";
import { listSettings } from "./settings.js";

const packageJson = new URL("../../package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(packageJson, "utf8")) as { version: string };

const RECONNECT_MS = 1_000;

/** What `serve` starts beside the relay, which knows nothing of it. */
export interface Companions {
  /**
   * The demo's bot, which talks to the relay at this URL as any client does. `onError` is for the log; `ownDatabase` is the
   * embedded one, in which it may make a table.
   */
  startDemo?(
    url: string,
    onError: (error: unknown) => void,
    ownDatabase?: string,
  ): Promise<{ close(): Promise<void> }>;
}

/** Runs the command line. Errors that the user can put right are one line, without a stack. */
export async function run(argv: string[], companions: Companions = {}): Promise<void> {
  try {
    await program(companions).parseAsync(argv);
  } catch (error) {
    const expected = error instanceof SpacefeedError && error.code !== "internal";
    process.stderr.write(`spacefeed: ${expected ? error.message : (error as Error).stack}\n`);
    process.exitCode = 1;
  }
}

function program(companions: Companions): Command {
  const spacefeed = new Command("spacefeed")
    .description("A sync server whose sync logic is in Postgres")
    .version(version)
    .showHelpAfterError()
    .addHelpText("after", "\nExample:\n  spacefeed serve &\n  spacefeed tail lobby");
  const command = (name: string, description: string, example: string) =>
    spacefeed.command(name).description(description).addHelpText("after", `\nExample:\n  ${example}`);

  command(
    "serve",
    "start the relay; without DATABASE_URL also a Postgres of its own",
    "DATABASE_URL=postgres://me@db:5432/app PORT=8787 spacefeed serve",
  )
    .addHelpText("after", `\nSettings, in the environment:\n${settingsHelp()}`)
    .action(() => serve(companions));
  command(
    "migrate",
    "bring the database of DATABASE_URL to this version (up), take the last step back (down), or look (status)",
    "DATABASE_URL=postgres://me@db:5432/app spacefeed migrate status",
  )
    .argument("[action]", "up, down or status", "up")
    .action(runMigration);
  command(
    "sql",
    "print the whole schema in order, for a database that has none of it",
    "spacefeed sql | psql postgres://me@db:5432/app -v ON_ERROR_STOP=1 -f -",
  ).action(async () => {
    process.stdout.write(await schemaSql());
  });
  command(
    "tail",
    "print the events of a space as they come, one JSON text a line; SPACEFEED_TOKEN is sent as the token",
    "spacefeed tail lobby --since msg_120 | jq .type",
  )
    .argument("<space>", "the ID of the space")
    .option("--url <url>", "the relay", "http://127.0.0.1:8787")
    .option("--since <since>", "a cursor, a version, a message ID or a time")
    .action(tail);
  return spacefeed;
}

function settingsHelp(): string {
  const lines = listSettings().map(
    ({ name, unless, sentence }) => `  ${name}${unless && ` (${unless})`}\n      ${sentence}`,
  );
  return lines.join("\n").replaceAll("`", "");
}

async function serve({ startDemo }: Companions): Promise<void> {
  const config = readConfig(process.env);
  const log = pino({ level: config.logLevel }, pino.destination(2));
  const starting = startRelay(config, log);

  let stopping = false;
  let demo: { close(): Promise<void> } | undefined;
  const stop = async (reason: string, exitCode: number) => {
    if (stopping) return;
    stopping = true;
    log.info({ reason }, "stopping");
    const relay = await starting.catch(() => undefined);
    await demo?.close();
    await relay?.close();
    process.exit(exitCode);
  };
  for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => void stop(signal, 0));

  const relay = await starting;
  relay.lost.then((reason) => stop(`the embedded Postgres has ended: ${reason}`, 1));
  process.stdout.write(`\n  Spacefeed is at ${relay.url}\n`);
  if (config.demo)
    process.stdout.write(
      "  Open it in a browser: the demo has two spaces and a bot, and at /tracker a board\n",
    );
  if (config.databaseUrl === undefined) process.stdout.write(`  psql ${relay.databaseUrl}\n`);
  process.stdout.write("\n");
  if (config.demo && startDemo) {
    const onError = (error: unknown) => {
      if (!stopping) log.warn({ err: error }, "the demo's bot");
    };
    const ownDatabase = config.databaseUrl === undefined ? relay.databaseUrl : undefined;
    startDemo(reachable(relay.url), onError, ownDatabase).then((started) => {
      demo = started;
    }, onError);
  }
  warnOfOpen(config, log);

  // npm's shell dies of a signal without passing it on, and would leave us and Postgres behind.
  if (process.env.npm_lifecycle_event) {
    const parent = process.ppid;
    setInterval(() => process.ppid !== parent && stop("npm has ended", 0), 500).unref();
  }
}

function warnOfOpen({ host, tokens }: Config, log: Logger): void {
  if (!tokens && !["127.0.0.1", "localhost", "::1"].includes(host)) {
    const message =
      "everybody who reaches this address may read and write, since there are no tokens (AUTH_JWKS_URL, " +
      "AUTH_JWT_SECRET, AUTH_ISSUER): sync.authorize() decides";
    log.warn({ host }, message);
  }
  if (tokens && !tokens.secret && !tokens.audience) {
    log.warn(
      "tokens for every audience of the issuer are let in: set AUTH_AUDIENCE to the one that is meant",
    );
  }
}

/** The address by which this machine itself reaches a relay that listens on all of its addresses. */
function reachable(url: string): string {
  return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
}

async function runMigration(action: string): Promise<void> {
  const { databaseUrl: given } = readConfig(process.env);
  if (!given) {
    throw new SpacefeedError("config", "migrate needs DATABASE_URL, such as postgres://me@db:5432/app");
  }
  const databaseUrl = await asLibpq(given);
  if (action === "status") {
    for (const { name, applied } of await migrationStatus(databaseUrl)) {
      process.stdout.write(`${applied ? "applied" : "missing"}  ${name}\n`);
    }
  } else if (action === "up" || action === "down") {
    const names = await migrate(databaseUrl, action, (message) => process.stderr.write(`${message}\n`));
    process.stdout.write(`${action}: ${names.join(", ") || "nothing to do"}\n`);
  } else {
    throw new SpacefeedError("config", `migrate ${action}: the actions are up, down and status`);
  }
}

async function tail(space: string, options: { url: string; since?: string }): Promise<void> {
  if (!URL.canParse(options.url)) {
    throw new SpacefeedError(
      "config",
      `--url ${options.url} is not an address such as http://127.0.0.1:8787`,
    );
  }
  const url = new URL(options.url);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/api/stream`;
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

/** The same JSON, without what a terminal takes for a command: JSON itself escapes the controls below U+0020. */
function printable(json: string): string {
  return json.replace(/[\u007f-\u009f]/g, (control) => `\\u00${control.charCodeAt(0).toString(16)}`);
}

async function reasonIn(refusal: Response): Promise<string> {
  const said = await refusal.json().catch(() => ({}));
  return (
    (said as { error?: string }).error ??
    `${refusal.url} is no stream of a relay: its status is ${refusal.status}`
  );
}
