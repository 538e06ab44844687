import fc from "fast-check";
import { pino } from "pino";
import { expect, test } from "vitest";
import type { Being, Intention } from "../../../src/protocol/messages.js";
import { readConfig } from "../../../src/server/config.js";
import { startRelay } from "../../../src/server/relay.js";
import { ModelClient } from "../../support/model/client.js";
import { useDatabase } from "../../support/postgres/database.js";
import { Session } from "../../support/postgres/session.js";
import { faultsOf, type JsonSchema } from "../../support/process/json-schema.js";
import { faults as verified } from "../../support/relay/feed.js";
import { difference, follow } from "../../support/relay/follow.js";
import { post } from "../../support/relay/relay.js";
import { streamUrl } from "../../support/relay/stream.js";
import { anyCase } from "./case.js";
import { FuzzLane } from "./lane.js";
import { Ledger } from "./ledger.js";
import { FuzzReader } from "./reader.js";
import { ODD_IDS } from "./text.js";

const CASES = Number(process.env.FUZZ_CASES ?? 20_000);
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
const LANES = 6;
const HOMES = 12;
/** What is refused for its haste says nothing of what was sent. */
const NO_LIMITS = {
  MAX_WRITES_PER_ADDRESS: "0",
  MAX_WRITES_PER_SPACE: "0",
  MAX_STREAMS_PER_ADDRESS: "0",
  MAX_STREAMS_PER_SPACE: "0",
};
const db = useDatabase();

interface Api {
  paths: Record<
    string,
    Record<string, { responses: Record<string, { content?: Record<string, { schema: JsonSchema }> }> }>
  >;
}

test("whatever comes is answered as documented, breaks no frame, and is stored only if it was accepted", {
  timeout: 120_000 + CASES * 15,
  retry: 0, // a second attempt would meet the rows of the first
}, async (context) => {
  const logged: { level: number; msg: string }[] = [];
  const log = pino({ level: "warn" }, { write: (line) => void logged.push(JSON.parse(line)) });
  const relay = await startRelay(
    { ...readConfig(NO_LIMITS), databaseUrl: db.url, demo: false, port: 0, heartbeatMs: 200 },
    log,
  );
  context.onTestFinished(() => relay.close());
  const api = (await (await fetch(`${relay.url}/openapi.json`)).json()) as Api;
  const schemaFaults = (path: string, method: string, json: unknown, type = "application/json") => {
    const schema = api.paths[path]?.[method]?.responses["200"]?.content?.[type]?.schema;
    return schema
      ? faultsOf(schema, json).map((fault) => `${fault} in ${JSON.stringify(json).slice(0, 500)}`)
      : [];
  };

  const session = await Session.open(db);
  const ledger = new Ledger();
  const homes = ODD_IDS.slice(0, HOMES).map((id) => `home ${id}`);
  for (const beingId of homes) {
    const { body } = await post(relay, "beings", { action: "create", beingId, data: { type: "space" } });
    ledger.set("beings", body.data);
  }

  // Open during the whole run: a strict model of a client, one that reads line by line, and our own.
  const models = homes.map((home) => new ModelClient(relay.url, home));
  for (const model of models) model.connect();
  const streamed = (json: unknown) => schemaFaults("/api/stream", "get", json, "text/event-stream");
  const readers = homes.map((home) => {
    // A heartbeat's data is none of the events.
    const check = (json: unknown) =>
      (json as object) && "everyMs" in (json as object) ? [] : streamed(json);
    return new FuzzReader(streamUrl(relay.url, home), check);
  });
  const state = new URL("/api/sync?limit=3", relay.url);
  state.searchParams.set("spaceId", homes[0] as string);
  const stateFaults = (json: unknown) =>
    "everyMs" in (json as object) ? [] : schemaFaults("/api/sync", "get", json, "text/event-stream");
  readers.push(new FuzzReader(state, stateFaults));
  const client = follow(context, { url: relay.url, spaceId: homes[1] as string });

  const lanes: FuzzLane[] = [];
  for (let lane = 0; lane < LANES; lane++) {
    const own = await Session.open(db);
    lanes.push(new FuzzLane(lane, LANES, homes, ledger, own, relay.url, schemaFaults));
  }
  try {
    let done = 0;
    let isOver = false;
    const said = (one: unknown) => JSON.stringify(one)?.slice(0, 5_000);
    await Promise.all(
      lanes.map(async (lane, index) => {
        const share = Math.floor(CASES / LANES) + (index < CASES % LANES ? 1 : 0);
        for (const one of fc.sample(anyCase, { numRuns: share, seed: SEED + index })) {
          if (isOver) return;
          await lane.run(one).catch((error) => {
            isOver = true;
            throw new Error(
              `FUZZ_SEED=${SEED} FUZZ_CASES=${CASES}: case number ${done}: ${said(one)}: ${error.message}`,
              {
                cause: error,
              },
            );
          });
          done++;
        }
      }),
    );

    const counts: Record<string, number> = {};
    for (const lane of lanes)
      for (const [what, count] of Object.entries(lane.counts)) counts[what] = (counts[what] ?? 0) + count;
    const frames = readers.reduce((sum, reader) => sum + reader.frames, 0);
    process.stdout.write(
      `fuzz: ${done} cases (FUZZ_SEED=${SEED}), ${ledger.size} rows stored, ${frames} frames read: ${JSON.stringify(counts)}\n`,
    );
    expect(done).toBe(CASES);
    const seed = `FUZZ_SEED=${SEED}`;
    await session.run("select sync.record()"); // what SQL has written at last may wait
    for (const [index, model] of models.entries()) {
      const home = homes[index] as string;
      await model.until((await session.value("select sync.current_cursor($1)", [home])) as string);
      const [row] = await session.query(
        "select beings::text, intentions::text from sync.snapshot($1, 10000)",
        [home],
      );
      const [beings, intentions] = [row?.beings, row?.intentions].map((json) => JSON.parse(json as string));
      expect(model.difference(beings as Being[], intentions as Intention[]), seed).toBeUndefined();
      expect([model.counts.cuts, model.counts.spaceSyncs], seed).toEqual([0, 1]);
      await expect
        .poll(() => readers[index]?.last?.version, { message: seed })
        .toBe(Number(model.cursor?.split(".")[1]));
    }
    expect(readers.flatMap((reader) => reader.faults).slice(0, 10), seed).toEqual([]);
    await expect.poll(() => difference(client, relay.url), { message: seed }).toBeUndefined();
    expect((await ledger.faults(session)).slice(0, 10), seed).toEqual([]);
    expect(await verified(session), seed).toEqual([]);
    expect(logged, seed).toEqual([]);
    expect(({} as { a?: unknown }).a, seed).toBeUndefined();
  } finally {
    for (const each of [...lanes, ...readers]) each.close();
    for (const model of models) model.drop();
  }
});
