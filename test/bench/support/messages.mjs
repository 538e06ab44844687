// A database with many messages, made fast: without triggers, then sync.reset().

const CONTENT = `jsonb_build_array(repeat(md5(n::text), 6))`;
/** Rows of one statement. */
const CHUNK = 250_000;

/** The spaces that are measured, `each` with so many messages. */
export async function prepare(client, { probes, each }) {
  await client.query(
    "insert into public.beings (id, type) select 'probe-' || n, 'space' from generate_series(0, $1::int - 1) n",
    [probes],
  );
  await client.query(
    `insert into public.intentions (location_id, content)
     select 'probe-' || n % $1::int, ${CONTENT} from generate_series(1, $1::int * $2::int) n`,
    [probes, each],
  );
}

/** Fills other spaces until the table has `size` messages. */
export async function fill(client, { size, spaces }) {
  const { rows } = await client.query("select count(*)::int as count from public.intentions");
  await client.query("set session_replication_role = replica");
  await client.query(
    `insert into public.beings (id, type, location_id)
     select 'space-' || n, 'space', 'space-' || n from generate_series(0, $1::int - 1) n on conflict do nothing`,
    [spaces],
  );
  for (let have = rows[0].count; have < size; have += CHUNK) {
    await client.query(
      `insert into public.intentions (message_id, location_id, content)
       select 'msg_' || nextval('sync.message_number'), 'space-' || n % $1::int, ${CONTENT}
       from generate_series(1, $2) n`,
      [spaces, Math.min(CHUNK, size - have)],
    );
  }
  await client.query("set session_replication_role = origin");
  await client.query("select sync.reset()");
  // Outside of a transaction, as autovacuum would in time.
  for (const table of ["public.beings", "public.intentions", "sync.spaces", "sync.changes"]) {
    await client.query(`vacuum analyze ${table}`);
  }
  await client.query("checkpoint");
}

/** Writes `count` messages into each measured space; returns the cursors from before. */
export async function missSome(client, { probes, count }) {
  const { rows } = await client.query(
    `select 'probe-' || n as "spaceId", sync.current_cursor('probe-' || n) as cursor
     from generate_series(0, $1::int - 1) n`,
    [probes],
  );
  for (let n = 0; n < count; n++) {
    await client.query(
      `insert into public.intentions (location_id, content)
       select 'probe-' || n, ${CONTENT} from generate_series(0, $1::int - 1) n`,
      [probes],
    );
  }
  return rows;
}
