import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startEmbedded } from "../../../src/embedded/embedded.js";
import { migrate } from "../../../src/server/postgres/migrate.js";
import { query } from "../../support/postgres/embedded.js";
import { TestRecorder } from "../../support/postgres/recorder.js";

const SLOW = 60_000;
const say = (url: string) => query(url, "insert into intentions (location_id) values ('lobby')");

test.for(["asleep", "awake"] as const)(
  "P12: a relay that is %s while Postgres is killed and recovers looks at everything, loses nothing, and goes on",
  { timeout: 2 * SLOW },
  async (at) => {
    const dataDir = await mkdtemp(join(tmpdir(), "spacefeed-sleep-"));
    await chmod(dataDir, 0o755); // mkdtemp's mode is 0700, which would send root's data elsewhere
    const options = { dataDir, port: 54_600, log: () => {} };
    let server = await startEmbedded(options);
    const { url } = server;
    let relay: TestRecorder | undefined;
    try {
      await migrate(url, "up");
      relay = new TestRecorder({ url });
      await relay.sleeps();
      if (at === "awake") await relay.wake();

      const [directory] = await query(url, "show data_directory");
      const [pid] = (await readFile(join(directory as string, "postmaster.pid"), "utf8")).split("\n");
      process.kill(Number(pid), "SIGKILL");
      await server.exited;
      await server.stop(); // gives the directory up
      relay.forget();
      server = await startEmbedded({ ...options, port: Number(new URL(url).port) });
      await say(url);
      await relay.sees("*");

      relay.mayNod();
      await expect.poll(() => relay?.listener.listening, { timeout: SLOW }).toBe(true);
      await relay.becomes("asleep");
      relay.forget();
      await say(url);
      await relay.sees("lobby");
      await relay.wake();
      relay.forget();
      await say(url);
      await relay.sees("lobby");
      expect(await query(url, "select count(*)::int from sync.notes")).toEqual([0]);
    } finally {
      await relay?.close();
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    }
  },
);
