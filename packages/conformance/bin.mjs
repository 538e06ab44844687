#!/usr/bin/env node
import { parseArgs } from "node:util";
import { checkClient, clientCases } from "./client/check-client.mjs";
import { checkRelay, relayCases } from "./relay/check-relay.mjs";

const USAGE = `Does a relay, or a client, speak the protocol of Spacefeed? The rules are those of docs/protocol.md.

  spacefeed-conformance <url>                        checks the relay at a URL; it makes spaces of its own
      --database <url>    for the cases that need SQL: makes and drops a table, calls sync.reset()
      --token <token>     sent as Authorization: Bearer; unless given, SPACEFEED_TOKEN
  spacefeed-conformance client -- <command…>         plays a relay; starts the client once a case
      {url} and {space} in the command say where, and what it follows; it prints its state as JSON lines
  spacefeed-conformance client --listen <port>       the same for clients that POST their state to /report/<space>

  --only <rule>           these cases only: 5.3, or all of 5
  --patience <seconds>    until what has to come is given up: 10

Exit code: 0 if all passed, 1 if one failed, 2 if it could not be run.`;

const options = {
  database: { type: "string" },
  token: { type: "string", default: process.env.SPACEFEED_TOKEN },
  listen: { type: "string", default: "0" },
  only: { type: "string", default: "" },
  patience: { type: "string", default: "10" },
  help: { type: "boolean", default: false },
};

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  console.error(`spacefeed-conformance: ${error.message}`);
  process.exitCode = 2;
}

async function run(argv) {
  const end = argv.indexOf("--");
  const command = end < 0 ? [] : argv.slice(end + 1);
  const { values, positionals } = parseArgs({
    args: end < 0 ? argv : argv.slice(0, end),
    options,
    allowPositionals: true,
  });
  const [what] = positionals;
  if (values.help || what === undefined) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }
  const patienceMs = 1_000 * Number(values.patience);
  const chosen = (cases) => {
    const some = cases.filter(({ rule }) => `${rule}.`.startsWith(values.only && `${values.only}.`));
    if (some.length === 0) throw new Error(`there is no case of rule ${values.only}`);
    return some;
  };
  if (what === "client") {
    return checkClient(chosen(clientCases), { port: Number(values.listen), command, patienceMs });
  }
  if (!URL.canParse(what)) throw new Error(`"${what}" is no URL, such as http://127.0.0.1:8787`);
  const headers = values.token ? { Authorization: `Bearer ${values.token}` } : {};
  return checkRelay(chosen(relayCases), { url: what, headers, databaseUrl: values.database, patienceMs });
}
