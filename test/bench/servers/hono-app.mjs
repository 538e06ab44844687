// What one would write in an hour: Hono's streamSSE over a Postgres table whose trigger sends each row with NOTIFY.
// It forwards the payloads, and replays from the table for who comes back.

import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import pg from "pg";

const connectionString = process.env.DATABASE_URL;
const pool = new pg.Pool({ connectionString, max: 10 });
const streams = new Set();

await pool.query(`
  create table if not exists public.forwarded (
    id bigserial primary key,
    content jsonb not null,
    created_at timestamptz not null default now()
  );
  create or replace function public.forward() returns trigger language plpgsql as $$
  begin
    perform pg_notify('forwarded', json_build_object('id', new.id, 'content', new.content)::text);
    return null;
  end $$;
  create or replace trigger forward after insert on public.forwarded
    for each row execute function public.forward()`);

const listener = new pg.Client({ connectionString });
await listener.connect();
listener.on("notification", ({ payload }) => {
  const { id } = JSON.parse(payload);
  for (const stream of streams) void stream.writeSSE({ id: String(id), data: payload });
});
await listener.query("listen forwarded");

const app = new Hono();
app.get("/stream", (context) =>
  streamSSE(context, async (stream) => {
    const since = context.req.header("Last-Event-ID");
    if (since) {
      const missed = await pool.query("select id, content from public.forwarded where id > $1 order by id", [
        since,
      ]);
      for (const row of missed.rows) await stream.writeSSE({ id: row.id, data: JSON.stringify(row) });
    }
    streams.add(stream);
    stream.onAbort(() => void streams.delete(stream));
    while (!stream.aborted) {
      await stream.writeSSE({ event: "heartbeat", data: "" });
      await stream.sleep(2_000);
    }
  }),
);
serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => process.send({ port }));
process.on("disconnect", () => process.exit());
