import { startRelay } from "./relay.mjs";

/** The two tables that are compared, alike but for Spacefeed's triggers. */
export const TABLES = { plain: "plain.intentions", triggers: "public.intentions" };

/**
 * Makes the table without triggers: same columns, checks and indexes, and message IDs from a sequence of its
 * own. Autovacuum would start in the middle of one measurement or the other: off, both start empty.
 */
export async function createPlainTable(client) {
  await client.query(`
    create schema plain;
    create sequence plain.message_number;
    create table plain.intentions (like public.intentions including all);
    alter table plain.intentions
      alter column message_id set default 'msg_' || nextval('plain.message_number');
    alter table plain.intentions set (autovacuum_enabled = off);
    alter table public.intentions set (autovacuum_enabled = off);
    alter table sync.changes set (autovacuum_enabled = off);
    alter table sync.spaces set (autovacuum_enabled = off);
    alter table sync.notes set (autovacuum_enabled = off)`);
}

/** What one would write in an hour: the plain table, and a trigger that notifies at each row. */
export async function createNotifyingTable(client) {
  await client.query(`
    create schema notifying;
    create table notifying.intentions (like plain.intentions including all);
    create function notifying.notify() returns trigger language plpgsql as $$
    begin
      perform pg_notify('notifying', new.id);
      return null;
    end
    $$;
    create trigger notify after insert or update on notifying.intentions
      for each row execute function notifying.notify()`);
}

/** Says that a relay listens and sleeps: each commit records itself, and notifies. */
export async function pretendSleeper(client) {
  await client.query("select sync.relay_seen(false)");
}

/** Does the work beside a real relay that is awake: it records for everybody, on the same cores. */
export async function besideAwakeRelay(url, client, work) {
  const relay = await startRelay(url, { LOG_LEVEL: "error" });
  try {
    await wakeUp(client);
    return await work(() => wakeUp(client));
  } finally {
    await relay.stop();
  }
}

/** Writes until the relay is awake, and takes that back. */
async function wakeUp(client) {
  for (let isAwake = false; !isAwake; ) {
    await client.query("insert into public.intentions (location_id) values ('wake up')");
    isAwake = (await client.query("select awake from sync.status")).rows[0].awake;
  }
  await client.query("delete from public.intentions where location_id = 'wake up'");
}

export async function emptyTables(client) {
  await client.query("truncate plain.intentions, public.intentions");
  await client.query("truncate sync.changes, sync.spaces, sync.notes");
}

/** A message's content of about 170 bytes. */
export const CONTENT = JSON.stringify(["lorem ipsum ".repeat(14)]);

/** Plain first in one round, triggers first in the next: neither always finds the cache warm. */
export function inTurn(round) {
  const names = Object.keys(TABLES);
  return round % 2 === 0 ? names : names.reverse();
}
