import type { Command } from "commander";
import { type Logger, pino } from "pino";
import { type Config, readConfig } from "../config.js";
import { startRelay } from "../relay.js";
import { listSettings } from "../settings.js";
import { command } from "./command.js";

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

/** `spacefeed serve`: a relay, until it is stopped. */
export function serve(companions: Companions): Command {
  return command(
    "serve",
    "start the relay; without DATABASE_URL also a Postgres of its own",
    "DATABASE_URL=postgres://me@db:5432/app PORT=8787 spacefeed serve",
  )
    .addHelpText("after", `\nSettings, in the environment:\n${settingsHelp()}`)
    .action(() => start(companions));
}

function settingsHelp(): string {
  const lines = listSettings().map(
    ({ name, unless, sentence }) => `  ${name}${unless && ` (${unless})`}\n      ${sentence}`,
  );
  return lines.join("\n").replaceAll("`", "");
}

async function start({ startDemo }: Companions): Promise<void> {
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
