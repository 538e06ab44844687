import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { Session } from "../../support/postgres/session.js";
import { type Command, useCommand } from "../../support/process/command.js";
import { streamUrl } from "../../support/relay/stream.js";
import { SECRET } from "../../support/relay/token.js";

const db = useDatabase();
const spacefeed = useCommand();

/** A relay in a process of its own, and where it is. */
async function serve(env: Record<string, string> = {}): Promise<{ command: Command; url: string }> {
  const command = spacefeed(["serve"], { DATABASE_URL: db.url, PORT: "0", LOG_LEVEL: "warn", ...env });
  const [, url] = await command.until("stdout", /Spacefeed is at (\S+)/);
  return { command, url: url as string };
}

const ask = async (url: string, path: string, body: object) => {
  const response = await fetch(`${url}/api/${path}`, { method: "POST", body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as { error?: string } };
};

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s ends an open stream cleanly, the process with 0, and its connections to the database",
  async (signal) => {
    const session = await Session.open(db);
    await session.run(
      "insert into public.beings (id, type) values ('lobby', 'space') on conflict do nothing",
    );
    const { command, url } = await serve();
    const responses = await Promise.all(
      [streamUrl(url, "lobby"), new URL("/api/sync?spaceId=lobby", url)].map((address) =>
        fetch(address, { headers: { Accept: "text/event-stream" } }),
      ),
    );
    // text() rejects when a stream is cut instead of ended.
    const texts = responses.map((response) => response.text());
    const sessions = () =>
      session.value(
        "select count(*)::int from pg_stat_activity where application_name like 'spacefeed%' and datname = current_database()",
      );
    expect(await sessions()).toBeGreaterThan(1);
    expect(await session.value("select relays::int from sync.status")).toBe(1);
    command.child.kill(signal);
    expect(await command.end).toMatchObject({ code: 0, stderr: "" });
    for (const text of await Promise.all(texts)) expect(text).toMatch(/^retry: \d+\n\n/);
    await expect.poll(sessions, { timeout: 10_000 }).toBe(0);
  },
);

test("serve obeys a signal from the moment that it says where it is, and further ones do no harm", async () => {
  const codes: (number | null)[] = [];
  for (let n = 0; n < 5; n++) {
    const { command } = await serve();
    command.child.kill("SIGTERM");
    command.child.kill("SIGINT");
    command.child.kill("SIGTERM");
    codes.push((await command.end).code);
  }
  expect(codes).toEqual([0, 0, 0, 0, 0]);
});

test.each<[string, Record<string, string>, RegExp | null]>([
  ["open, on this machine only", {}, null],
  [
    "open, for everybody",
    { HOST: "0.0.0.0" },
    /everybody who reaches this address may read and write.*AUTH_/,
  ],
  ["with tokens, for everybody", { HOST: "0.0.0.0", AUTH_JWT_SECRET: SECRET }, null],
  ["with an issuer's tokens for anybody", { AUTH_JWKS_URL: "http://127.0.0.1:1" }, /AUTH_AUDIENCE/],
])("serve warns of what is open, and of nothing else: %s", async (_, env, warning) => {
  const { command } = await serve(env);
  command.child.kill("SIGTERM");
  const { stdout, stderr } = await command.end;
  if (warning) expect(stderr).toMatch(warning);
  else expect(stderr).toBe("");
  expect(stdout + stderr).not.toContain(SECRET);
});

test("serve prints no connection string of a database that is not its own, nor a password", async () => {
  const url = new URL(db.url);
  url.password ||= "s3cret";
  const { command } = await serve({ DATABASE_URL: url.href, LOG_LEVEL: "trace" });
  await command.until("stdout", /Spacefeed is at .*\n\n/);
  command.child.kill("SIGTERM");
  const { stdout, stderr } = await command.end;
  expect(stdout).toMatch(/^\n {2}Spacefeed is at http:\/\/127\.0\.0\.1:\d+\n\n$/);
  expect(stdout + stderr).not.toContain(`:${url.password}@`);
});

test("P9: a role that does not own the schema serves, with the rights of spacefeed_relay and no more", async () => {
  const role = `spacefeed_test_${process.pid}`;
  const owner = await Session.open(db);
  await owner.run(`create role ${role} login password 'relay' in role spacefeed_relay`);
  const url = new URL(db.url);
  [url.username, url.password] = [role, "relay"];
  try {
    const relay = await serve({ DATABASE_URL: url.href, LOG_LEVEL: "info" });
    expect(relay.command.stderr).toMatch(/another role's/);
    const being = { action: "create", beingId: "served", data: { type: "space" } };
    expect(await ask(relay.url, "beings", being)).toMatchObject({ status: 200, body: { version: 1 } });
    const message = { action: "create", intentionId: "hi", spaceId: "served" };
    expect((await ask(relay.url, "intentions", message)).status).toBe(200);
    for (const action of ["update", "delete"]) {
      const data = action === "update" ? { data: { name: "n" } } : {};
      expect((await ask(relay.url, "intentions", { action, intentionId: "hi", ...data })).status).toBe(200);
    }
    const states = await fetch(`${relay.url}/api/sync?spaceId=served`);
    expect(await states.json()).toMatchObject({ version: 4, beings: [{ id: "served" }] });
    expect((await fetch(`${relay.url}/readyz`)).status).toBe(200);
    expect(await owner.value("select relays::int from sync.status")).toBe(1);
    relay.command.child.kill("SIGTERM");
    const { code, stderr } = await relay.command.end;
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/permission denied/);
  } finally {
    await owner.run(`drop owned by ${role}`, `drop role ${role}`);
  }
});
