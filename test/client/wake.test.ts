import { expect, type TestContext, test } from "vitest";
import { Api } from "../../src/client/api.js";
import { replace } from "../../src/client/replica.js";
import type { Mode } from "../../src/client/snapshot.js";
import { Streams } from "../../src/client/streams.js";
import { Transport } from "../../src/client/transport.js";
import { spaceSyncOf, stateOf } from "../support/postgres/rows.js";
import { closing, eventually } from "../support/relay/follow.js";
import { SseServer } from "../support/relay/sse-server.js";

// What a browser tells a client of its network and its page, at the transport: a client in Node has neither.

const known = replace(null, stateOf(5));

/** A transport in realtime, and what its receiver has got. */
async function begin(context: TestContext) {
  const server = closing(context, await SseServer.start());
  server.opened = (stream) => stream.send([spaceSyncOf(5)]);
  const lines: [Mode, string | undefined][] = [];
  const got: string[] = [];
  const transport = closing(
    context,
    new Transport(new Streams(new Api({ url: server.url })), "here", {
      known: () => known,
      take: (news) => {
        if (news.type === "status") lines.push([news.mode, news.fault?.message]);
        else if (news.type === "group") got.push(`group of ${news.group.length}`);
        else got.push(`${news.type} at ${news.type === "state" ? news.state.version : news.version}`);
      },
    }),
  );
  await eventually(() => expect(got).toEqual(["group of 1"]));
  expect(lines).toEqual([["realtime", undefined]]);
  return { server, transport, lines, got };
}

test("offline ends realtime at once, and a wake-up asks and tries at once", async (context) => {
  const { server, transport, lines, got } = await begin(context);
  transport.offline();
  expect(lines.at(-1)).toEqual(["polling", "no live updates: the browser is offline"]);
  await eventually(() => expect(lines.map(([mode]) => mode)).toContain("cache"));
  server.state = stateOf(6);
  transport.wake();
  await eventually(() => expect(lines.at(-1)).toEqual(["realtime", undefined]));
  expect(server.streams.length).toBe(2);
  await eventually(() => expect(got.filter((one) => one === "group of 1").length).toBe(2));
});

test("a wake-up while all is well, or while an attempt is under way, changes nothing", async (context) => {
  const { server, transport, lines } = await begin(context);
  transport.wake();
  transport.wake();
  expect([server.streams.length, lines.length]).toEqual([1, 1]);
  transport.offline();
  for (let n = 0; n < 10; n++) transport.wake();
  await eventually(() => expect(lines.at(-1)?.[0]).toBe("realtime"));
  expect(server.streams.length).toBe(2);
});

test("after close nothing that a page says opens anything", async (context) => {
  const { server, transport, lines } = await begin(context);
  transport.close();
  for (const call of ["offline", "wake", "gap", "close"] as const) transport[call]();
  await eventually(() => expect(server.streams.every(({ isOpen }) => !isOpen)).toBe(true));
  expect([server.streams.length, server.polls.length, lines.length]).toEqual([1, 0, 1]);
});

test("what a stream said before it was given up counts for nothing afterwards", async (context) => {
  const { server, transport, got } = await begin(context);
  const [first] = server.streams;
  transport.gap();
  // Both streams speak; only the new one is heard.
  first?.send([spaceSyncOf(7)]);
  await eventually(() => expect(server.streams.length).toBe(2));
  await eventually(() => expect(first?.isOpen).toBe(false));
  await eventually(() => expect(got).toEqual(["group of 1", "group of 1"]));
});
