import { afterEach, expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { useRefusals } from "../../support/relay/refusal.js";
import { post, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db);
const refused = useRefusals(db, relay);

/** What the DBA adds for one test. */
async function given(sql: string): Promise<void> {
  const client = await db.connect();
  await client.query(sql);
}

afterEach(() =>
  given(`
    drop trigger if exists no_shouting on public.intentions;
    alter table public.beings drop constraint if exists names_are_short,
      drop constraint if exists names_are_unique, drop constraint if exists owner_exists;
    alter table public.intentions drop constraint if exists intentions_one_name`),
);

test("a check of the DBA is 400, and its name is said", async () => {
  await given("alter table public.beings add constraint names_are_short check (length(name) < 10)");
  const error = /names_are_short/;
  const long = { name: "a name that is long" };
  await refused("/api/beings", { action: "create", data: long }, { status: 400, code: "invalid", error });
  const beingId = await newSpace(relay.current);
  await refused(
    "/api/beings",
    { action: "update", beingId, data: long },
    { status: 400, code: "invalid", error },
  );
});

test("a unique constraint of the DBA is 409, its name is said, and nothing of the other row", async () => {
  await given(`alter table public.beings add column if not exists nick text generated always as (nullif(name, '')) stored;
    alter table public.beings add constraint names_are_unique unique (nick)`);
  await post(relay.current, "beings", { action: "create", data: { name: "private-nick" } });
  const body = { action: "create", beingId: "second", data: { name: "private-nick" } };
  const error = /^(?!.*private-nick).*names_are_unique/;
  await refused("/api/beings", body, { status: 409, code: "conflict", error });
});

test("a deferred constraint of the DBA, which fails at commit, is 409 and stores nothing", async () => {
  await given(`alter table public.intentions add constraint intentions_one_name
    unique (location_id, name) deferrable initially deferred`);
  const spaceId = await newSpace(relay.current);
  const create = { action: "create", spaceId, data: { name: "once" } };
  expect((await post(relay.current, "intentions", create)).status).toBe(200);
  const conflict = { status: 409, code: "conflict", error: /intentions_one_name/ };
  await refused("/api/intentions", create, conflict);
});

test("a foreign key of the DBA is 409, and its name is said", async () => {
  await given(`alter table public.beings add constraint owner_exists
    foreign key (owner_id) references public.beings (id)`);
  const body = { action: "create", data: { ownerId: "nobody" } };
  await refused("/api/beings", body, { status: 409, code: "conflict", error: /owner_exists/ });
});

test("a trigger of the DBA that raises is 409 with its message", async () => {
  await given(`
    create or replace function public.no_shouting() returns trigger language plpgsql as $$
    begin
      if new.content::text like '%!%' then raise exception 'please do not shout in %', new.location_id; end if;
      return new;
    end $$;
    create trigger no_shouting before insert or update on public.intentions
      for each row execute function public.no_shouting()`);
  const spaceId = await newSpace(relay.current);
  const error = `please do not shout in ${spaceId}`;
  const data = { content: ["hey!"] };
  const conflict = { status: 409, code: "conflict", error };
  await refused("/api/intentions", { action: "create", spaceId, data }, conflict);
  await post(relay.current, "intentions", { action: "create", intentionId: "calm", spaceId });
  await refused("/api/intentions", { action: "update", intentionId: "calm", data }, conflict);
});

test("a trigger of the DBA that says nothing and keeps the row out is a refusal, not a crash", async () => {
  await given(`
    create or replace function public.no_shouting() returns trigger language plpgsql as $$
    begin return null; end $$;
    create trigger no_shouting before insert on public.intentions
      for each row execute function public.no_shouting()`);
  const spaceId = await newSpace(relay.current);
  const { status, body } = await post(relay.current, "intentions", { action: "create", spaceId });
  expect([status, body.code]).toEqual([409, "conflict"]);
  expect(body.error).not.toContain("undefined");
});
