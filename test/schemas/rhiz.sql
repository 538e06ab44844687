-- The schema of the application that the founding documents come from, as its ORM makes it: quoted camelCase columns, text
-- keys that people read ("@anna", "/msg-1"), and foreign keys to beings. Three rooms, 60 beings, 100,000 messages.

create table public.rhiz_om_beings (
  "id"          varchar(255) primary key,
  "name"        varchar(256) not null,
  "type"        varchar(50) not null,
  "createdAt"   timestamptz not null default current_timestamp,
  "modifiedAt"  timestamptz not null default current_timestamp,
  "ownerId"     varchar(255) references public.rhiz_om_beings ("id"),
  "locationId"  varchar(255) references public.rhiz_om_beings ("id"),
  "extIds"      jsonb,
  "idHistory"   jsonb,
  "metadata"    jsonb,
  "properties"  jsonb,
  "content"     jsonb,
  "botModel"    varchar(255),
  "botPrompt"   text,
  "llmApiKey"   text
);

create table public.rhiz_om_intentions (
  "id"          varchar(255) primary key,
  "name"        varchar(256) not null,
  "type"        varchar(50) not null,
  "createdAt"   timestamptz not null default current_timestamp,
  "modifiedAt"  timestamptz not null default current_timestamp,
  "ownerId"     varchar(255) not null references public.rhiz_om_beings ("id"),
  "locationId"  varchar(255) not null references public.rhiz_om_beings ("id"),
  "state"       varchar(50) not null,
  "content"     jsonb not null
);
create index intention_owner_idx on public.rhiz_om_intentions ("ownerId");
create index intentions_location_created_idx on public.rhiz_om_intentions ("locationId", "createdAt");

insert into public.rhiz_om_beings ("id", "name", "type", "locationId")
select '@space-' || n, 'Space ' || n, 'space', '@space-' || n
from generate_series(1, 3) n;
insert into public.rhiz_om_beings ("id", "name", "type", "locationId", "extIds", "idHistory", "metadata")
select '@guest-' || n, 'Guest ' || n, 'guest', '@space-' || n % 3 + 1,
  jsonb_build_array(jsonb_build_object('provider', 'google', 'id', 'secret external ' || n)), '[]', '{"colour": "green"}'
from generate_series(1, 54) n;
insert into public.rhiz_om_beings ("id", "name", "type", "ownerId", "locationId", "botModel", "botPrompt", "llmApiKey")
select '@bot-' || n, 'Bot ' || n, 'bot', '@guest-' || n, '@space-' || n, 'some-model', 'secret prompt ' || n, 'secret key ' || n
from generate_series(1, 3) n;
insert into public.rhiz_om_intentions ("id", "name", "type", "createdAt", "modifiedAt", "ownerId", "locationId", "state", "content")
select '/msg-' || md5(n::text), 'Message ' || n, 'utterance', at, at, '@guest-' || n % 54 + 1, '@space-' || n % 3 + 1, 'complete',
  jsonb_build_array('Message ' || n)
from generate_series(1, 100000) n
cross join lateral (select '2025-01-01 UTC'::timestamptz + n / 2 * interval '1 minute' as at) t;  -- two at a time
