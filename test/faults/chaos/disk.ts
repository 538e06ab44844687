import type pg from "pg";

/** Where the disk is full: in the writer's statement, or when its transaction is filed at commit. */
export type FullDisk = "never" | "at the statement" | "at commit";

/**
 * A disk that is full for writers on demand: a trigger that raises what Postgres raises then (53100). A real one
 * needs a file system of its own, and for that the rights of root; what Spacefeed sees of it is the same.
 */
export async function installDisk(client: pg.Client): Promise<void> {
  await client.query(`
    create schema chaos;
    create table chaos.disk (is_full text not null);
    insert into chaos.disk values ('never');
    create function chaos.write() returns trigger language plpgsql security definer set search_path = '' as $$
    begin
      if tg_argv[0] = (select d.is_full from chaos.disk as d) then
        raise exception 'could not extend file: No space left on device' using errcode = 'disk_full';
      end if;
      return null;
    end
    $$;
    create trigger chaos_disk before insert or update on public.beings
      for each statement execute function chaos.write('at the statement');
    create trigger chaos_disk before insert or update on public.intentions
      for each statement execute function chaos.write('at the statement');
    create trigger chaos_disk before insert or update on sync.changes
      for each statement execute function chaos.write('at commit');
  `);
}

export async function fillDisk(client: pg.Client, isFull: FullDisk): Promise<void> {
  await client.query("update chaos.disk set is_full = $1", [isFull]);
}
