import { spawnSync } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { migrate } from "../../../src/server/postgres/migrate.js";
import { useDatabase } from "../../support/postgres/database.js";
import { useEmptyDatabases } from "../../support/postgres/empty-database.js";
import { useSession } from "../../support/postgres/session.js";
import { useCommand } from "../../support/process/command.js";
import { keepDoing } from "../../support/process/keep-doing.js";
import { followed } from "../../support/relay/follow.js";
import { useRelay } from "../../support/relay/relay.js";

const db = useDatabase();
const emptyDatabase = useEmptyDatabases(db);
const s = useSession(db);
const relay = useRelay(db);
const spacefeed = useCommand();
const shell = useCommand(["bash", "-c"]);
const ESCAPE = "\u001b";
const hasScript = spawnSync("script", ["--version"]).status === 0;

beforeAll(async () => {
  await s.run(
    "insert into public.beings (id, type) values ('busy', 'space'), ('calm', 'space')",
    "insert into public.intentions (location_id) values ('idle')",
    // A name that would do things to a terminal.
    "create table public.cards (id serial primary key, board text)",
    "select sync.track('public.cards', space => 'board', columns => '{id,board}', name => 'card')",
    "call sync.fill('card')",
  );
});

const env = () => ({ DATABASE_URL: db.url });
const url = () => ["--url", relay.current.url];
/** Writes ten times as often to one space as to another. */
const write = () =>
  keepDoing(async (n) => {
    await s.query("insert into public.intentions (location_id) values ('busy')");
    if (n % 10 === 0) await s.query("insert into public.intentions (location_id) values ('calm')");
    if (n % 20 === 0)
      await s.query("insert into public.cards (board) values (E'\\u001b[2Jbad\\u009b5mname')");
    await new Promise((resolve) => setTimeout(resolve, 5));
  });

test("top --once says which spaces are busy, who records and what the relay has sent, and ends", async () => {
  const writing = write();
  const { code, stdout, stderr } = await spacefeed(["top", "--once", "--every", "1", ...url()], env()).end;
  await writing.stop();
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(
    /^versions {3}\d+\.\d\/s in 3 of 4 spaces\nrecording {2}.* record.*; relays 1, notes that wait \d+\n/,
  );
  expect(stdout).toMatch(/^database {3}NOTIFY queue 0% full; oldest write /m);
  expect(stdout).toMatch(/^relay {6}0 readers; \d+\.\d frames\/s, /m);
  const [, busiest, ...others] = stdout.split("\n\n")[1]?.trimEnd().split("\n") ?? [];
  expect(busiest).toMatch(/^ *\d+\.\d +\d+ {2}busy$/);
  expect(others).toHaveLength(2);
  expect(others.join("\n")).toContain("\\u001b[2Jbad\\u009b5mname");
});

test("top --json is one JSON text a look, with the rates as numbers", async (context) => {
  await followed(context, { url: relay.current.url, spaceId: "busy" });
  const writing = write();
  const running = spacefeed(["top", "--json", "--every", "1", "--spaces", "1", ...url()], env());
  await running.until("stdout", /\n.*\n/);
  running.child.kill();
  await running.end;
  await writing.stop();
  const [first, second] = running.stdout.split("\n").map((line) => (line ? JSON.parse(line) : undefined));
  for (const look of [first, second]) {
    expect(look.versionsPerSecond).toBeGreaterThanOrEqual(look.busiest[0].versionsPerSecond);
    expect(look).toMatchObject({ busiest: [{ spaceId: "busy" }], relays: 1, relay: { readers: 1 } });
    expect(look.relay.framesPerSecond).toBeGreaterThan(0);
    for (const span of ["querySeconds", "commitToRelaySeconds", "relayToSocketSeconds"]) {
      expect([span, look.relay[span]]).toEqual([span, expect.any(Number)]);
    }
  }
  expect(second.busiest[0].version).toBeGreaterThan(first.busiest[0].version);
});

test("top names the session that records", async () => {
  const { url: other, client } = await emptyDatabase();
  await migrate(other, "up");
  const { rows } = await client.query("select pg_backend_pid() as pid, sync.lead(true)");
  await client.query("set idle_session_timeout = 0"); // a relay that hangs would be ended
  const { stdout } = await spacefeed(["top", "--once", "--every", "1"], { DATABASE_URL: other }).end;
  expect(stdout).toMatch(
    new RegExp(`^recording {2}pid ${rows[0].pid} .*records when commits do not; relays 0`, "m"),
  );
});

test("without a relay the rest is told; where stdout is no terminal, a look is plain lines", async () => {
  const running = spacefeed(["top", "--every", "1", "--url", "http://127.0.0.1:1"], env());
  await running.until("stdout", /versions {3}.*versions {3}.*\n\n/s);
  running.child.kill();
  await running.end;
  expect(running.stdout).toContain("relay      does not answer; see --url\n");
  expect(running.stdout).toBe(stripVTControlCharacters(running.stdout));
  expect(running.stderr).toBe("");
});

test("an interval that is none is refused with its name", async () => {
  const { code, stderr } = await spacefeed(["top", "--every", "0"], env()).end;
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: "spacefeed: --every 0 is no whole number from 1 to 999999999\n",
  });
});

test.runIf(hasScript)(
  "in a terminal each look takes the place of the one before, and Ctrl-C gives the cursor back",
  async () => {
    const call = `${process.execPath} bin/spacefeed.mjs top --every 1 --url ${relay.current.url}`;
    const running = shell([`exec script -qefc 'stty rows 40 columns 100; exec ${call}' /dev/null`], {
      ...env(),
      TERM: "xterm",
    });
    write(); // a look that is as the one before would change nothing
    const up = new RegExp(`versions {3}.*${ESCAPE}\\[\\d+A`, "s");
    await running.until("stdout", up);
    // What the terminal would do: the line of the kernel sends the signal to the command in it.
    const { stdout } = await shell([`pgrep -f '^${call}'`]).end;
    process.kill(Number(stdout.trim().split("\n")[0]), "SIGINT");
    await running.end;
    expect(running.stdout).toContain(`${ESCAPE}[?25l`);
    expect(running.stdout.lastIndexOf(`${ESCAPE}[?25h`)).toBeGreaterThan(
      running.stdout.lastIndexOf(`${ESCAPE}[?25l`),
    );
  },
);
