import { context, propagation, SpanStatusCode, trace } from "@opentelemetry/api";
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-node";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useRecorders } from "../support/postgres/recorder.js";
import { post, useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";
const exporter = new InMemorySpanExporter();

beforeAll(() => new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register());
afterAll(() => {
  for (const api of [context, propagation, trace]) api.disable();
});

const db = useDatabase();
const relay = useRelay(db);
const recorder = useRecorders(db);

beforeEach(() => exporter.reset());

const ended = (name: string) => exporter.getFinishedSpans().find((span) => span.name === name);
const parentOf = (span?: ReadableSpan) => span?.parentSpanContext?.spanId;
const idOf = (span?: ReadableSpan) => span?.spanContext().spanId;

test("a request is a span of its caller's trace, and its queries are spans in it", async () => {
  const spaceId = await newSpace(relay.current);
  exporter.reset();
  const create = { action: "create", spaceId };
  const traceparent = `00-${TRACE}-${CALLER}-01`;
  expect((await post(relay.current, "intentions", create, { traceparent })).status).toBe(200);
  await expect.poll(() => ended("POST")).toBeDefined();
  const request = ended("POST");
  expect([request?.spanContext().traceId, parentOf(request)]).toEqual([TRACE, CALLER]);
  expect(request?.status.code).not.toBe(SpanStatusCode.ERROR);
  expect(request?.attributes).toEqual({
    "http.request.method": "POST",
    "url.path": "/api/intentions",
    "http.response.status_code": 200,
  });
  expect(parentOf(ended("write"))).toBe(idOf(request));
});

test("what is refused is the answer of its span, and a query that fails is an error of its own", async () => {
  const { status } = await post(relay.current, "beings", { action: "get", beingId: "nobody" });
  expect(status).toBe(404);
  await expect.poll(() => ended("POST")).toBeDefined();
  const request = ended("POST");
  expect(request?.status.code).not.toBe(SpanStatusCode.ERROR);
  expect(request?.attributes["http.response.status_code"]).toBe(404);
  expect(ended("read")?.status.code).toBe(SpanStatusCode.ERROR);
  expect(parentOf(ended("read"))).toBe(idOf(request));
});

test("a turn of the relay that records is a span, with the notes that it has recorded", async () => {
  const one = recorder();
  await one.sleeps();
  await one.wake();
  const session = await db.connect();
  exporter.reset();
  await session.query("insert into beings (location_id) values ('hall')");
  const turn = () =>
    exporter.getFinishedSpans().find(({ attributes }) => attributes["spacefeed.notes"] === 1);
  await expect.poll(turn).toBeDefined();
  expect(turn()?.name).toBe("recording");
  const records = exporter.getFinishedSpans().filter(({ name }) => name === "record");
  expect(records.map(parentOf)).toContain(idOf(turn()));
});
