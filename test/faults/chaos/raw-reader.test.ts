import { expect, type TestContext, test } from "vitest";
import {
  beingOf,
  changed,
  created,
  groupOf,
  messageOf,
  spaceSyncOf,
  stateOf,
} from "../../support/postgres/rows.js";
import { closing, eventually } from "../../support/relay/follow.js";
import { type ServedStream, SseServer } from "../../support/relay/sse-server.js";
import { RawReader } from "./raw-reader.js";
import { Witness } from "./witness.js";

const being = beingOf("being");
const message = messageOf(1);

/** A reader that has come to version 3, and the stream that it reads. */
async function reading(context: TestContext) {
  const server = closing(context, await SseServer.start());
  const witness = new Witness();
  const reader = closing(context, new RawReader("reader", server.url, "here", witness));
  await eventually(() => expect(server.streams).toHaveLength(1));
  const stream = server.streams[0] as ServedStream;
  stream.send([spaceSyncOf(3, { beings: [being] })]);
  const events = (count: number) => eventually(() => expect(witness.counts.events).toBe(count));
  await events(1);
  return { server, stream, reader, witness, events };
}

test("P3: a reader that got everything equals the database, and one that did not says what is missing", async (context) => {
  const { stream, reader, witness, events } = await reading(context);
  const truth = { ...stateOf(4), beings: [being], intentions: [message] };
  expect(reader.difference(truth)).toContain("version 3 of 4");
  stream.send(groupOf(3, 4, created(message)));
  await events(2);
  expect(reader.difference(truth)).toBeUndefined();
  expect(reader.difference({ ...truth, intentions: [] })).toContain("1 surplus");
  expect(reader.difference({ ...truth, beings: [being, beingOf("other")] })).toContain("1 missing");
  expect(reader.difference({ ...truth, beings: [{ ...being, name: "x" }] })).toContain("1 other");
  expect(witness.faults).toEqual([]);
});

test("P1: what comes twice is objected to", async (context) => {
  const { stream, witness, events } = await reading(context);
  const group = groupOf(3, 4, changed(being));
  stream.send(group, group);
  await events(3);
  expect(witness.faults).toEqual([expect.stringContaining("gets version 4 again")]);
});

test("P3: a gap is noticed, and the reader comes back with its own cursor", async (context) => {
  const { server, stream, witness } = await reading(context);
  stream.send(groupOf(4, 5, changed(being)));
  await eventually(() => expect(server.streams).toHaveLength(2));
  expect(server.streams[1]?.since).toBe("e.3");
  expect(witness.counts["gaps noticed"]).toBe(1);
});

test("P4: a phantom is objected to", async (context) => {
  const { stream, witness, events } = await reading(context);
  stream.send(groupOf(3, 4, changed({ ...being, name: "phantom" })));
  await events(2);
  expect(witness.faults).toEqual([expect.stringContaining("sees a phantom")]);
});

test("P11: a step back, and another epoch, are objected to", async (context) => {
  const { stream, witness, events } = await reading(context);
  stream.send([spaceSyncOf(2)]);
  stream.send([{ ...spaceSyncOf(5), cursor: "f.5" }] as never);
  await events(3);
  expect(witness.faults).toEqual([
    expect.stringContaining("is sent back from 3 to 2"),
    expect.stringContaining("gets another epoch: f.5 after e.2"),
  ]);
});
