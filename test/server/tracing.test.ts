import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { afterAll, beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useRecorders } from "../support/postgres/recorder.js";
import { post, useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

// An SDK in small: it remembers the spans that have ended.

const PARENT = Symbol();
const CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
let ended: TestSpan[] = [];

class TestSpan {
  attributes: Record<string, unknown>;
  isError = false;
  hasEnded = false;
  constructor(
    readonly name: string,
    { attributes = {} }: { attributes?: Record<string, unknown> },
    readonly parent: TestSpan | string | undefined,
  ) {
    this.attributes = { ...attributes };
  }
  setAttribute(key: string, value: unknown) {
    this.attributes[key] = value;
  }
  setStatus({ code }: { code: SpanStatusCode }) {
    this.isError = code === SpanStatusCode.ERROR;
  }
  recordException() {}
  end() {
    expect(this.hasEnded).toBe(false);
    this.hasEnded = true;
    ended.push(this);
  }
}

beforeAll(() => {
  const active = new AsyncLocalStorage<Context>();
  context.setGlobalContextManager({
    active: () => active.getStore() ?? ROOT_CONTEXT,
    with: (of, work, self, ...args) => active.run(of, () => work.call(self as never, ...args)),
    bind: (_, target) => target,
    enable() {
      return this;
    },
    disable() {
      return this;
    },
  });
  propagation.setGlobalPropagator({
    inject: () => {},
    extract: (of, carrier, getter) => of.setValue(PARENT as symbol, getter.get(carrier, "traceparent")),
    fields: () => [],
  });
  const startSpan = (name: string, options: object, of: Context) =>
    new TestSpan(name, options, of.getValue(PARENT as symbol) as TestSpan | undefined);
  trace.setGlobalTracerProvider({
    getTracer: () => ({
      startSpan: startSpan as never,
      startActiveSpan: ((name: string, options: object, of: Context, work: (span: Span) => unknown) => {
        const span = startSpan(name, options, of);
        return context.with(of.setValue(PARENT as symbol, span), () => work(span as unknown as Span));
      }) as never,
    }),
  });
});
afterAll(() => {
  for (const api of [context, propagation, trace]) api.disable();
});

const db = useDatabase();
const relay = useRelay(db);
const recorder = useRecorders(db);

test("a request is a span of its caller's trace, and its queries are spans in it", async () => {
  const spaceId = await newSpace(relay.current);
  ended = [];
  const { status } = await post(
    relay.current,
    "intentions",
    { action: "create", spaceId },
    { traceparent: CALLER },
  );
  expect(status).toBe(200);
  await expect.poll(() => ended.find(({ name }) => name === "POST")).toBeDefined();
  const request = ended.find(({ name }) => name === "POST");
  expect(request).toMatchObject({ parent: CALLER, isError: false });
  expect(request?.attributes).toEqual({
    "http.request.method": "POST",
    "url.path": "/api/intentions",
    "http.response.status_code": 200,
  });
  const write = ended.find(({ name }) => name === "write");
  expect(write?.parent).toBe(request);
});

test("a span does not have the ID of a stream, which is a secret of its client", async () => {
  ended = [];
  const url = `${relay.current.url}/api/stream/that-is-secret?of=it`;
  expect((await fetch(url, { method: "POST", body: "{}" })).status).toBe(404);
  await expect.poll(() => ended.find(({ name }) => name === "POST")).toBeDefined();
  expect(ended.at(-1)?.attributes["url.path"]).toBe("/api/stream/:id");
  expect(JSON.stringify(ended.map(({ attributes }) => attributes))).not.toContain("secret");
});

test("what is refused is the answer of its span, and a query that fails is an error of its own", async () => {
  ended = [];
  const { status } = await post(relay.current, "beings", { action: "get", beingId: "nobody" });
  expect(status).toBe(404);
  await expect.poll(() => ended.find(({ name }) => name === "POST")).toBeDefined();
  const request = ended.find(({ name }) => name === "POST");
  expect(request?.isError).toBe(false);
  expect(request?.attributes["http.response.status_code"]).toBe(404);
  expect(ended.find(({ name }) => name === "read")).toMatchObject({ isError: true, parent: request });
});

test("a turn of the relay that records is a span, with the notes that it has recorded", async () => {
  const one = recorder();
  await one.sleeps();
  await one.wake();
  const session = await db.connect();
  ended = [];
  await session.query("insert into beings (location_id) values ('hall')");
  const turn = () => ended.find(({ attributes }) => attributes["spacefeed.notes"] === 1);
  await expect.poll(turn).toBeDefined();
  expect(turn()?.name).toBe("recording");
  expect(ended.find(({ name, parent }) => name === "record" && parent === turn())).toBeDefined();
});
