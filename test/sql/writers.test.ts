import { expect, test } from "vitest";
import { copyFrom } from "../support/postgres/copy.js";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { eventsSince, faults, inShort, recordOf, versionOf } from "../support/relay/feed.js";

const db = useDatabase();
const s = useSession(db);

test("P6: COPY is one version", async () => {
  const rows = Array.from({ length: 200 }, (_, n) => `copy-${n + 1}\tcopy\tGrüße, "${n + 1}"\n`);
  await copyFrom(s, "copy intentions (id, location_id, name) from stdin", rows.join(""));
  const events = (await eventsSince(s, "copy", 0, 200)) ?? [];
  expect(events).toHaveLength(200);
  expect(events[0]).toMatchObject({ version: 1, data: { id: "copy-1", name: 'Grüße, "1"' } });
  expect(await faults(s)).toEqual([]);
});

test("P4: COPY that fails in its last row leaves nothing", async () => {
  const failing = copyFrom(s, "copy beings (id, location_id) from stdin", "a\tcopy-gone\na\tcopy-gone\n");
  await expect(failing).rejects.toMatchObject({ code: "23505" });
  expect(await versionOf(s, "copy-gone")).toBe(0);
});

test("P6: an upsert creates first, updates then, and keeps the message ID", async () => {
  const upsert = (content: string) =>
    s.value(
      `insert into intentions as i (id, location_id, content) values ('upsert', 'upsert', $1)
       on conflict (id) do update set content = excluded.content, message_id = excluded.message_id
       returning message_id`,
      [content],
    );
  const created = await upsert("[1]");
  expect(await upsert("[2]")).toBe(created);
  expect(await recordOf(s, "upsert")).toEqual(["intention upsert 1..2"]);
  expect(await upsert("[2]")).toBe(created);
  expect(await versionOf(s, "upsert")).toBe(2);
});

test("P6: one upsert of many rows, some there and some new, is one version", async () => {
  await s.run("insert into beings (id, location_id) values ('half-1', 'half')");
  await s.run(
    `insert into beings (id, location_id, name) select 'half-' || n, 'half', 'new' from generate_series(1, 3) n
     on conflict (id) do update set name = excluded.name`,
  );
  expect(inShort(await eventsSince(s, "half", 1))).toEqual([
    "being-updated half-1",
    "being-created half-2",
    "being-created half-3",
  ]);
});

test("P6: MERGE inserts, updates and deletes in one version", async ({ skip }) => {
  if (((await s.value("select current_setting('server_version_num')::integer")) as number) < 15_00_00) skip();
  await s.run("insert into beings (id, location_id) values ('merge-1', 'merge'), ('merge-2', 'merge')");
  await s.run(
    `merge into beings b using (values ('merge-1'), ('merge-2'), ('merge-3')) as v (id) on b.id = v.id
     when matched and v.id = 'merge-1' then delete
     when matched then update set name = 'merged'
     when not matched then insert (id, location_id) values (v.id, 'merge')`,
  );
  expect(await recordOf(s, "merge")).toEqual([
    "being merge-1 1..2 gone",
    "being merge-2 1..2",
    "being merge-3 2..2",
  ]);
});

test("P6: a data-modifying CTE that writes both tables is one version", async () => {
  await s.run(
    `with author as (
       insert into beings (id, location_id) values ('cte', 'cte') returning id
     )
     insert into intentions (id, owner_id, location_id) select 'cte-m', id, 'cte' from author`,
  );
  expect(await recordOf(s, "cte")).toEqual(["being cte 1..1", "intention cte-m 1..1"]);
});

test("P6: writes of a user's own triggers are in the version of the statement that fired them", async () => {
  await s.run(
    `create function count_words() returns trigger language plpgsql as $$
     begin
       update public.beings set properties = jsonb_build_object('said', new.id) where id = 'speaker';
       return null;
     end $$`,
    "insert into beings (id, location_id) values ('speaker', 'stage')",
    `create constraint trigger zz_at_commit after insert on intentions deferrable initially deferred
       for each row when (new.location_id = 'stage') execute function count_words()`,
    `create constraint trigger aa_at_commit after insert on intentions deferrable initially deferred
       for each row when (new.location_id = 'stage') execute function count_words()`,
  );
  await s.run("insert into intentions (id, location_id) values ('word', 'stage')");
  expect(await recordOf(s, "stage")).toEqual(["being speaker 1..2", "intention word 2..2"]);

  await s.run(
    "create trigger at_once after insert on intentions for each row execute function count_words()",
    "drop trigger aa_at_commit on intentions",
    "drop trigger zz_at_commit on intentions",
    "insert into intentions (id, location_id) values ('next', 'stage')",
    "drop trigger at_once on intentions",
  );
  expect(await recordOf(s, "stage")).toEqual([
    "being speaker 1..3",
    "intention next 3..3",
    "intention word 2..2",
  ]);
  expect(await faults(s)).toEqual([]);
});

test.each(["a_first", "zz_last"])(
  "P3: a user's trigger %s may delete or move the row that fired it",
  async (name) => {
    await s.run(
      `create function ${name}() returns trigger language plpgsql as $$
       begin
         delete from public.intentions where id = new.id and name = 'delete';
         update public.intentions set location_id = '${name}-archive' where id = new.id and name = 'move';
         return null;
       end $$`,
      `create trigger ${name} after insert on intentions for each row execute function ${name}()`,
      `insert into intentions (id, location_id, name) values ('${name}-d', '${name}', 'delete')`,
      `insert into intentions (id, location_id, name) values ('${name}-m', '${name}', 'move')`,
      `drop trigger ${name} on intentions`,
    );
    const found = await faults(s);
    await s.query("select sync.reset()");
    expect(found).toEqual([]);
  },
);
