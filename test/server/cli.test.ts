import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { environment, listSettings } from "../../src/server/settings.js";
import { useDatabase } from "../support/postgres/database.js";
import { useCommand } from "../support/process/command.js";

const db = useDatabase();
const spacefeed = useCommand();

/** One line on stderr, in the form of our own errors; nothing on stdout. */
async function refusal(args: string[], env?: Record<string, string>): Promise<string> {
  const { code, stdout, stderr } = await spacefeed(args, env).end;
  expect({ code, stdout, lines: stderr.trimEnd().split("\n").length }, stderr).toEqual({
    code: 1,
    stdout: "",
    lines: 1,
  });
  expect(stderr).toMatch(/^spacefeed: /);
  return stderr;
}

test("--help names every command and has an example, as each command's --help has", async () => {
  const { code, stdout } = await spacefeed(["--help"]).end;
  expect(code).toBe(0);
  const commands = ["serve", "migrate", "sql", "tail"];
  for (const command of commands) {
    expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, "m"));
    const help = await spacefeed([command, "--help"]).end;
    expect([help.code, help.stderr]).toEqual([0, ""]);
    expect(help.stdout).toMatch(new RegExp(`Example:\n.*spacefeed ${command}\\b`));
  }
  expect(stdout).toMatch(/Example/);
});

test("the schema, the help of serve and docs/settings.md have the same settings, in the same words", async () => {
  const { stdout: help } = await spacefeed(["serve", "--help"]).end;
  const page = await readFile(new URL("../../docs/settings.md", import.meta.url), "utf8");
  const plain = (markdown: string) => markdown.replaceAll("`", "");
  const names = listSettings().map(({ name, unless, sentence }) => {
    expect(help).toContain(`\n  ${name}${unless && ` (${plain(unless)})`}\n      ${plain(sentence)}\n`);
    expect(page).toContain(`\n| \`${name}\` | ${unless} | ${sentence} |\n`);
    return name;
  });
  expect(names).toEqual(Object.keys(environment.shape));
  expect(page.match(/^\| `\w+` \|/gm)).toHaveLength(names.length);
});

test("--version is the package's", async () => {
  const { code, stdout } = await spacefeed(["--version"]).end;
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
});

test.each([[["fly"]], [["serve", "--nonsense"]], [["tail"]]])(
  "a command line that is wrong ends with 1 and the help: %j",
  async (args) => {
    const { code, stderr } = await spacefeed(args).end;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: .*\n[\s\S]*Usage: spacefeed/);
  },
);

test("a wrong action of migrate, or no DATABASE_URL, is one line that says what there is", async () => {
  expect(await refusal(["migrate", "sideways"], { DATABASE_URL: db.url })).toMatch(/up, down and status/);
  expect(await refusal(["migrate"])).toMatch(/DATABASE_URL/);
});

test.each([
  ["PORT", "http"],
  ["HEARTBEAT_MS", "1"],
  ["CATCH_UP_LIMIT", "0"],
  ["CORS_ORIGINS", "home.example"],
  ["LOG_LEVEL", "loud"],
  ["DATABASE_URL", "mysql://me:s3cret@db/app"],
])(
  "serve with a wrong setting ends with 1 and one line that names the variable: %s=%s",
  async (name, value) => {
    const line = await refusal(["serve"], { DATABASE_URL: db.url, LOG_LEVEL: "silent", [name]: value });
    expect(line).toContain(`${name}: `);
    expect(line).not.toContain("s3cret");
  },
);

test("serve on a port in use ends with 1 and one line that names the port", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  const env = { DATABASE_URL: db.url, LOG_LEVEL: "silent", PORT: String(port) };
  expect(await refusal(["serve"], env)).toMatch(new RegExp(`${port}.*PORT`));
  server.close();
});

test("serve on a host that is none of this machine names HOST", async () => {
  const env = { DATABASE_URL: db.url, LOG_LEVEL: "silent", PORT: "0", HOST: "192.0.2.1" };
  expect(await refusal(["serve"], env)).toMatch(/192\.0\.2\.1.*HOST/);
});

test.each(["127.0.0.1", "localhost"])(
  "an unreachable database ends with 1 and one line that says why, without the password: %s",
  async (host) => {
    const server = createServer().listen(0);
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    const env = { DATABASE_URL: `postgres://me:s3cret@${host}:${port}/app`, LOG_LEVEL: "silent" };
    for (const args of [["serve"], ["migrate"], ["migrate", "status"]]) {
      const line = await refusal(args, env);
      expect(line).toMatch(/ECONNREFUSED/);
      expect(line).not.toContain("s3cret");
    }
  },
);

test.each([
  [
    "no such database",
    (url: URL) => Object.assign(url, { pathname: "/no_such_database" }),
    /no_such_database/,
  ],
  ["no such role", (url: URL) => Object.assign(url, { username: "no_such_role" }), /no_such_role/],
  ["a port that is none", (url: URL) => `postgres://me:s3cret@${url.hostname}:none/app`, /URL/],
] as const)("%s ends with 1 and one line that says so", async (_, change, reason) => {
  const env = { DATABASE_URL: String(change(new URL(db.url))), LOG_LEVEL: "silent" };
  const line = await refusal(["serve"], env);
  expect(line).toMatch(reason);
  expect(line).not.toContain("s3cret");
});
