import { setTimeout as sleep } from "node:timers/promises";
import { being, created, deleted, group, message, spaceSync, updated } from "./story.mjs";

const json = { "Content-Type": "application/json" };
const away = JSON.stringify({ success: false, error: "the database is away", code: "unavailable" });
const task = (id, fields) => ({ id, title: `Task ${id}`, ...fields });

/** What a client has to stand. `space`: what it follows. */
export const clientCases = [
  {
    rule: "2.2",
    promise: "P3",
    space: "refusals",
    title: "refusals in between, of the relay and of a proxy: it comes back with its cursor",
    run: async (story) => {
      const first = await story.begin();
      story.stage.refusals.push([503, { ...json, "Retry-After": "1" }, away]);
      story.stage.refusals.push([502, { "Content-Type": "text/html" }, "<html>bad gateway"]);
      first.cut();
      const second = await story.again("2.2", 3 * story.patienceMs);
      await story.tell(second, group(5, 6, [created(message(4))]));
    },
  },
  {
    rule: "4.3",
    space: "entities",
    title: "rows of tracked tables are created, updated, deleted",
    run: async (story) => {
      const stream = await story.begin({ entities: { task: [task("1"), task("2")] } });
      story.needs(story.stage.reports.at(-1).entities !== undefined, "reports no entities");
      const events = [
        { type: "task-created", id: "3", data: task("3") },
        { type: "task-updated", id: "1", data: task("1", { title: "other", done: true }) },
        { type: "task-deleted", id: "2" },
      ];
      await story.tell(stream, group(5, 6, events));
    },
  },
  {
    rule: "6.1",
    promise: "P5",
    space: "whole",
    title: "nothing of a group shows before its end is here",
    run: async (story) => {
      const stream = await story.begin();
      const events = group(5, 6, [created(message(4)), deleted(message(1)), created(being(2))]);
      stream.send(events.slice(0, 1));
      await story.pause();
      stream.send(events.slice(1, 2));
      stream.beat(null);
      await story.pause();
      story.happens(events);
      stream.send(events.slice(2));
      await story.shown();
    },
  },
  {
    rule: "6.2",
    promise: "P5",
    space: "torn",
    title: "a stream that breaks off in a group has said nothing",
    run: async (story) => {
      const first = await story.begin();
      first.send(group(5, 6, [created(message(4)), deleted(message(2)), created(message(5))]).slice(0, 2));
      await story.pause();
      first.cut();
      const second = await story.again("6.2");
      // It must not take the first half of that group for its own.
      await story.tell(second, group(5, 6, [created(message(5))]));
    },
  },
  {
    rule: "6.2",
    promise: "P3",
    space: "comes-back",
    title: "after each end, and each break, it comes back with its own cursor",
    run: async (story) => {
      let stream = await story.begin();
      for (let version = 6; version < 9; version++) {
        await story.tell(stream, group(version - 1, version, [created(message(version))]));
        if (version % 2) stream.cut();
        else stream.end();
        stream = await story.again("6.2");
      }
      await story.tell(stream, group(8, 12, [created(message(9)), deleted(message(1))]));
    },
  },
  {
    rule: "6.3",
    promise: "P2",
    space: "known",
    title: "groups that it has already are left out, and it stays",
    run: async (story) => {
      const stream = await story.begin();
      stream.send(group(3, 4, [deleted(message(1))]), group(4, 5, [deleted(message(2))]), spaceSync(4));
      stream.beat(4);
      stream.beat(5);
      await story.tell(stream, group(5, 6, [created(message(4))]));
      stream.send(group(5, 6, [deleted(message(4))]));
      await story.tell(stream, group(6, 7, [created(message(5))]));
      story.stays("6.3");
    },
  },
  {
    rule: "6.4",
    promise: "P3",
    space: "gap",
    title: "a gap is not applied: it connects again with its own cursor",
    run: async (story) => {
      const first = await story.begin();
      first.send(group(6, 7, [created(message(5))]), group(7, 8, [created(message(6))]));
      const second = await story.again("6.4");
      await story.tell(second, group(5, 8, [created(message(4)), created(message(5)), created(message(6))]));
    },
  },
  {
    rule: "6.4",
    promise: "P11",
    space: "foreign-group",
    title: "a group of another epoch is a gap, though its prev fits",
    run: async (story) => {
      const first = await story.begin();
      first.send(group(5, 6, [created(message(9))], "e2"));
      const second = await story.again("6.4");
      await story.tell(second, spaceSync(6, { epoch: "e2", messages: [message(8), message(9)] }));
    },
  },
  {
    rule: "6.5",
    promise: "P11",
    space: "foreign-epoch",
    title: "a space-sync of another epoch replaces everything, also at a lower version",
    run: async (story) => {
      const first = await story.begin();
      await story.tell(first, spaceSync(2, { epoch: "e2", messages: [message(8)] }));
      await story.tell(first, group(2, 3, [created(message(9))], "e2"));
      first.cut();
      await story.tell(await story.again("6.5"), group(3, 4, [deleted(message(8))], "e2"));
    },
  },
  {
    rule: "6.5",
    promise: "P7",
    space: "space-sync",
    title: "a space-sync of a later version replaces everything, and groups go on from there",
    run: async (story) => {
      const stream = await story.begin();
      await story.tell(stream, spaceSync(90, { messages: [message(3), message(7)], beings: [being(2)] }));
      await story.tell(stream, group(90, 91, [deleted(message(3))]));
      story.stays("6.5");
    },
  },
  {
    rule: "6.6",
    promise: "P7",
    space: "once-more",
    title: "a row is set whether it is said to be new or not, and what is not there is not deleted",
    run: async (story) => {
      const stream = await story.begin();
      const again = [
        created(message(3, { content: ["once more"] })),
        updated(message(4)),
        created(being(1, { name: "Other" })),
        updated(being(2)),
        deleted(message(7)),
      ];
      await story.tell(stream, group(5, 6, again));
      story.stays("6.6");
    },
  },
  {
    rule: "6.7",
    space: "older",
    title: "a message older than its part of the list is left out",
    run: async (story) => {
      const stream = await story.begin({ hasMore: true });
      stream.send(group(5, 6, [updated(message(0)), created(message(4))]));
      story.happens(group(5, 6, [created(message(4))]));
      await story.shown();
    },
  },
  {
    rule: "6.8",
    promise: "P3",
    space: "unknown-types",
    title: "events that it does not know change nothing, and its cursor moves",
    run: async (story) => {
      const first = await story.begin();
      const strange = [{ type: "weather-changed", sky: ["grey"] }, { type: "unheard" }];
      story.happens(group(5, 6, strange));
      first.send(group(5, 6, strange));
      await story.tell(first, group(6, 7, [created(message(4)), ...strange]));
      first.cut();
      await story.tell(await story.again("6.8"), group(7, 8, [created(message(5))]));
    },
  },
  {
    rule: "6.9",
    promise: "P5",
    space: "bytes",
    title: "bytes that come one by one, lines that end with CR, comments, events with other names",
    run: async (story) => {
      const stream = await story.begin();
      const one = group(5, 6, [created(message(4, { content: ["Grüße, €, 𝄞"] })), deleted(message(1))]);
      story.happens(one);
      for (const byte of Buffer.from(`: comment\n\nevent: other\ndata: no JSON\n\n${stream.textOf(one)}`)) {
        stream.line.write(Buffer.of(byte));
        await new Promise(setImmediate);
      }
      await story.shown();
      for (const [n, end] of ["\r\n", "\r"].entries()) {
        const events = group(6 + n, 7 + n, [created(message(5 + n))]);
        const lines = JSON.stringify(stream.named(events[0]), null, 1).replaceAll("\n", "\ndata: ");
        story.happens(events);
        stream.line.write(`${stream.idOf(events[0])}data: ${lines}\n\n`.replaceAll("\n", end));
        stream.beat(null);
        await story.shown();
      }
      story.stays("6.9");
    },
  },
  {
    rule: "7.2",
    promise: "P3",
    space: "heartbeat",
    title: "a heartbeat of a version that it does not have is a gap",
    run: async (story) => {
      const first = await story.begin();
      first.beat(6);
      const second = await story.again("7.2");
      await story.tell(second, group(5, 6, [created(message(4))]));
      second.beat(6);
      await story.pause();
      story.stays("7.2");
    },
  },
  {
    rule: "7.3",
    promise: "P3",
    space: "silence",
    title: "a stream without a heartbeat is dead: it comes back",
    run: async (story) => {
      const first = await story.begin();
      await sleep(2_500);
      story.stays("7.3"); // there were heartbeats
      first.line.isSilent = true;
      const second = await story.again("7.3", 2 * story.patienceMs);
      await story.tell(second, group(5, 6, [created(message(4))]));
    },
  },
  {
    rule: "8.3",
    promise: "P5",
    space: "many-spaces",
    title: "groups of other spaces on the same stream are kept apart",
    run: async (story) => {
      const stream = await story.begin();
      story.needs(stream.isMany, "opens streams of one space only");
      const events = group(5, 6, [created(message(4)), created(message(5))]);
      const [other] = group(5, 6, [created(message(9))], "e2");
      stream.send(events.slice(0, 1));
      stream.line.write(`data: ${JSON.stringify({ spaceId: "elsewhere", ...other })}\n\n`);
      story.happens(events);
      stream.send(events.slice(1));
      await story.shown();
      story.stays("8.3");
    },
  },
  {
    rule: "10.3",
    promise: "P7",
    space: "appends",
    title: "appends in UTF-16 units, once more what it has, and a gap where it has less",
    run: async (story) => {
      const first = await story.begin();
      story.needs(first.line.appends, "does not ask for appends");
      const append = (at, text, data = {}, path = ["content", 0]) => ({
        type: "intention-appended",
        messageId: "msg_4",
        id: "m4",
        path,
        at,
        text,
        data,
      });
      await story.tell(first, group(5, 6, [created(message(4, { content: ["Hi 🌍", { parts: ["a"] }] }))]));
      await story.tell(first, group(6, 7, [append(5, "!", { state: "active" })]));
      await story.tell(first, group(7, 8, [append(1, "bc", {}, ["content", 1, "parts", 0])]));
      await story.tell(first, group(8, 9, [append(5, "!", { state: "complete" })])); // it has that already
      story.stays("10.3");
      first.send(group(9, 10, [append(9, "lost")]));
      const second = await story.again("10.3");
      await story.tell(second, group(9, 10, [updated(message(4, { content: ["Hi 🌍!   lost"] }))]));
    },
  },
];
