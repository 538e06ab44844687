-- Chapter 2: from a write to a version.
--   complete  what is special to beings and intentions, which else are tracked as other tables are: here
--   note      a statement leaves a note of the rows that it has touched, for each space that they are in or have left:
--             _note_<type>, which chapter 1 has written
--   record    notes that are committed become versions, many transactions at once: sync._file(), in one statement

-- Before a row is written; at an update by the last of the BEFORE triggers (zz_spacefeed_stamp). A space without a location is in
-- itself: its name is in its own feed. A message gets its name, also where the writer brings one: the sequence could give that
-- out. And modified_at moves with what leaves, and with nothing else. Compared is byte by byte: 1.0 and 1.00 in jsonb are equal,
-- and look different.
create or replace function sync._complete()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  is_changed boolean;
begin
  if tg_op = 'INSERT' then
    if tg_argv[0] = 'being' then
      new.location_id := new.id;
    else
      new.message_id := 'msg_' || nextval('sync.message_number');
    end if;
    return new;
  end if;

  -- Mostly it is one of the columns named here; the wire form costs more.
  if tg_argv[0] = 'intention' then
    new.message_id := old.message_id;
    is_changed := record_image_ne(row(old.state, old.content), row(new.state, new.content)) or record_image_ne(old, new)
      and sync.intention_json(old)::pg_catalog.text <> sync.intention_json(new)::pg_catalog.text;
  else
    is_changed := record_image_ne(row(old.name, old.content), row(new.name, new.content)) or record_image_ne(old, new)
      and sync.being_json(old)::pg_catalog.text <> sync.being_json(new)::pg_catalog.text;
  end if;
  if not is_changed and record_image_ne(old, new) then  -- a trigger does not see virtual columns
    is_changed := exists (select from pg_catalog.pg_attribute a where a.attrelid = tg_relid and a.attgenerated = 'v');
  end if;
  if is_changed and new.modified_at = old.modified_at then
    new.modified_at := greatest(clock_timestamp(), old.modified_at + interval '1 microsecond');
  end if;
  return new;
end
$$;
