import { listSettings } from "../../src/server/settings.js";

/** The page of the settings, from their schema. */
export function settingsPage(): string {
  const rows = listSettings().map(
    ({ name, unless, sentence }) => `| \`${name}\` | ${unless} | ${sentence} |`,
  );
  return `# Settings

For whoever runs a relay. Made from [src/server/settings.ts](../src/server/settings.ts) by \`npm run docs\`: change it there.

All are environment variables. \`…_MS\` is in milliseconds. An empty value counts as none, but for \`AUTH_…\`.

| Variable | Unless set | |
|---|---|---|
${rows.join("\n")}

A wrong value stops the start with the variable's name. So do settings that contradict one another (a secret and a JWKS, a
cookie and \`CORS_ORIGINS=*\`), and an empty \`AUTH_…\`: no relay is to be open because a secret was not found.

Limits by address do not apply to this machine itself. A relay has 12 connections to Postgres at most: 10 in its pool, one
that listens, one that records.

The embedded Postgres is for development: it lets every user of this machine in, and nobody else. Started as root it runs as
\`postgres\` or \`nobody\`. Where these cannot reach the clone, its data is in \`/var/lib/spacefeed\`; the log says so.
`;
}
