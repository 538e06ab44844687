import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { syncEvent } from "../../../src/protocol/messages.js";
import { useDatabase } from "../../support/postgres/database.js";
import { Session } from "../../support/postgres/session.js";
import { useCommand } from "../../support/process/command.js";
import { startTestRelay, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { SECRET, tokenOf, tokensBy } from "../../support/relay/token.js";

const db = useDatabase();
const relay = useRelay(db);
const spacefeed = useCommand();

const eventsOf = (stdout: string) =>
  stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => syncEvent.parse(JSON.parse(line)));

test("tail prints the events of a space as JSON, one a line, and goes when its reader goes", async () => {
  const session = await Session.open(db);
  const spaceId = await newSpace(relay.current);
  const tail = spacefeed(["tail", spaceId, "--url", relay.current.url]);
  await tail.until("stdout", /"space-sync".*\n/);
  await session.query("insert into public.intentions (location_id, name) values ($1, E'two\nlines')", [
    spaceId,
  ]);
  await tail.until("stdout", /"intention-created".*\n/);
  expect(eventsOf(tail.stdout)).toMatchObject([
    { type: "space-sync", version: 1 },
    { type: "intention-created", version: 2, data: { name: "two\nlines" } },
  ]);
  tail.child.kill("SIGTERM");
  await tail.end;
  expect(tail.stderr).toBe("");
});

test("tail --since starts there", async () => {
  const session = await Session.open(db);
  const spaceId = await newSpace(relay.current);
  const insert = "insert into public.intentions (location_id, name) values ($1, $2)";
  await session.query(insert, [spaceId, "a"]);
  await session.query(insert, [spaceId, "b"]);
  const tail = spacefeed(["tail", spaceId, "--url", relay.current.url, "--since", "2"]);
  await tail.until("stdout", /"intention-created".*\n/);
  expect(eventsOf(tail.stdout)).toMatchObject([{ version: 3, data: { name: "b" } }]);
  tail.child.kill();
  await tail.end;
});

test("tail --until ends with 0 when the space has come to that version or cursor, and at once where it is there", async () => {
  const session = await Session.open(db);
  const spaceId = await newSpace(relay.current);
  const command = ["tail", spaceId, "--url", relay.current.url];
  const tail = spacefeed([...command, "--until", "3"]);
  await tail.until("stdout", /"space-sync".*\n/);
  for (const name of ["a", "b"])
    await session.query("insert into public.intentions (location_id, name) values ($1, $2)", [spaceId, name]);
  expect(await tail.end).toMatchObject({ code: 0, stderr: "" });
  expect(eventsOf(tail.stdout).at(-1)).toMatchObject({ version: 3, data: { name: "b" } });
  const cursor = (await session.value("select sync.current_cursor($1)", [spaceId])) as string;
  expect(await spacefeed([...command, "--until", cursor]).end).toMatchObject({ code: 0, stderr: "" });
  // Nothing is new: it hears from a heartbeat where the space is.
  const since = await spacefeed([...command, "--since", cursor, "--until", "3"]).end;
  expect(since).toMatchObject({ code: 0, stdout: "", stderr: "" });
});

test("tail --until says with 1 what it cannot wait for", async () => {
  const spaceId = await newSpace(relay.current);
  const command = ["tail", spaceId, "--url", relay.current.url, "--until"];
  expect(await spacefeed([...command, "0123456789abcdef.1"]).end).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^spacefeed: --until: the cursors of this space begin with .*\n$/),
  });
  expect(await spacefeed([...command, "tomorrow"]).end).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^spacefeed: --until tomorrow is neither .*\n$/),
  });
});

test("P3: tail survives a restart of the relay: what happened meanwhile comes once, and what comes after", async () => {
  const session = await Session.open(db);
  let other = await startTestRelay(db);
  const port = Number(new URL(other.url).port);
  const spaceId = await newSpace(other);
  const say = (name: string) =>
    session.query("insert into public.intentions (location_id, name) values ($1, $2)", [spaceId, name]);
  const tail = spacefeed(["tail", spaceId, "--url", other.url]);
  await tail.until("stdout", /"space-sync".*\n/);
  await say("before");
  await tail.until("stdout", /"before".*\n/);
  await other.close();
  await tail.until("stderr", /reconnecting/);
  await say("meanwhile");
  other = await startTestRelay(db, { port });
  await tail.until("stdout", /"meanwhile".*\n/);
  await say("after");
  await tail.until("stdout", /"after".*\n/);
  tail.child.kill();
  await tail.end;
  await other.close();
  expect(eventsOf(tail.stdout).map((event) => ("data" in event ? event.data.name : event.type))).toEqual([
    "space-sync",
    "before",
    "meanwhile",
    "after",
  ]);
});

test.each([
  ["an unknown space", ["no-where"], /no space no-where/],
  ["a wrong since", ["lobby", "--since", "yesterday"], /since: "yesterday" is none of/],
])("tail of %s ends with 1 and one line with the relay's reason", async (_, args, reason) => {
  await newSpace(relay.current);
  const { code, stdout, stderr } = await spacefeed(["tail", ...args, "--url", relay.current.url]).end;
  expect([code, stdout, stderr.trimEnd().split("\n").length], stderr).toEqual([1, "", 1]);
  expect(stderr).toMatch(reason);
});

test("tail asks below the path of --url, and prints no command for a terminal", async () => {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write('data: {"name":"a\u009b31m\u0085\u007fé"}\n\n');
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const tail = spacefeed(["tail", "lobby", "--url", `http://127.0.0.1:${port}/feed/`]);
  await tail.until("stdout", /\n/);
  tail.child.kill();
  await tail.end;
  server.closeAllConnections();
  server.close();
  expect(asked).toEqual(["/feed/api/stream?spaceId=lobby"]);
  expect(tail.stdout).toBe('{"name":"a\\u009b31m\\u0085\\u007fé"}\n');
  expect(JSON.parse(tail.stdout)).toEqual({ name: "a\u009b31m\u0085\u007fé" });
});

test("tail with a --url that is none ends with 1 and one line that says so", async () => {
  const { code, stderr } = await spacefeed(["tail", "lobby", "--url", "nonsense"]).end;
  expect([code, stderr.trimEnd().split("\n").length], stderr).toEqual([1, 1]);
  expect(stderr).toMatch(/nonsense/);
});

test("tail sends SPACEFEED_TOKEN, and says what is missing without it", async () => {
  const session = await Session.open(db);
  await session.query("insert into public.beings (id, type) values ('locked', 'space')");
  const locked = await startTestRelay(db, { tokens: tokensBy({ AUTH_JWT_SECRET: SECRET }) });
  const command = ["tail", "locked", "--url", locked.url];
  const without = spacefeed(command);
  expect(await without.end).toMatchObject({ code: 1 });
  expect(without.stderr).toMatch(/a token is needed/);
  const tail = spacefeed(command, { SPACEFEED_TOKEN: await tokenOf("ada") });
  await tail.until("stdout", /"space-sync".*\n/);
  tail.child.kill();
  await tail.end;
  await locked.close();
});
