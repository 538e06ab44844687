-- A project tracker: uuid keys, enums, generated columns, comments in partitions, foreign keys with cascades, and a trigger
-- of its own. Schema tracker, so that nothing leans on the search_path.

create schema tracker;
create type tracker.status as enum ('open', 'doing', 'done');
create type tracker.role as enum ('reader', 'writer', 'admin');

create table tracker.members (
  id             uuid primary key default gen_random_uuid(),
  name           text not null,
  password_hash  text not null,
  updated_at     timestamptz not null default now()
);

create table tracker.projects (
  id            uuid primary key default gen_random_uuid(),
  owner_id      uuid references tracker.members (id) on delete set null,
  title         text not null,
  invite_token  text not null default md5(random()::text),
  updated_at    timestamptz not null default now()
);

create table tracker.tasks (
  id           uuid primary key default gen_random_uuid(),
  project_id   uuid not null references tracker.projects (id) on delete cascade,
  assignee_id  uuid references tracker.members (id) on delete set null,
  title        text not null,
  status       tracker.status not null default 'open',
  points       integer not null default 1,
  hours        numeric(12, 4) not null default 0,
  tags         text[] not null default '{}',
  slug         text generated always as (lower(replace(title, ' ', '-'))) stored,
  is_big       boolean generated always as (points > 5) stored,
  private_note text,
  updated_at   timestamptz not null default now()
);
create index tasks_project_id_idx on tracker.tasks (project_id);
create index tasks_assignee_id_idx on tracker.tasks (assignee_id);

create table tracker.comments (
  id          uuid not null default gen_random_uuid(),
  task_id     uuid not null references tracker.tasks (id) on delete cascade,
  author_id   uuid references tracker.members (id) on delete set null,
  body        text not null,
  updated_at  timestamptz not null default now(),
  primary key (id)
) partition by hash (id);
create table tracker.comments_0 partition of tracker.comments for values with (modulus 4, remainder 0);
create table tracker.comments_1 partition of tracker.comments for values with (modulus 4, remainder 1);
create table tracker.comments_2 partition of tracker.comments for values with (modulus 4, remainder 2);
-- One that was a table before, with columns in another order, and a dropped one.
create table tracker.comments_3 (
  body        text not null,
  gone        integer,
  updated_at  timestamptz not null default now(),
  author_id   uuid,
  task_id     uuid not null,
  id          uuid not null default gen_random_uuid()
);
alter table tracker.comments_3 drop column gone;
alter table tracker.comments attach partition tracker.comments_3 for values with (modulus 4, remainder 3);
create index comments_task_id_idx on tracker.comments (task_id);

create function tracker.touch()
returns trigger
language plpgsql
as $$
begin
  new.updated_at := clock_timestamp();
  return new;
end
$$;
create trigger touch before update on tracker.members for each row execute function tracker.touch();
create trigger touch before update on tracker.projects for each row execute function tracker.touch();
create trigger touch before update on tracker.tasks for each row execute function tracker.touch();
create trigger touch before update on tracker.comments for each row execute function tracker.touch();

insert into tracker.members (id, name, password_hash)
select md5('member ' || n)::uuid, 'Member ' || n, 'secret hash ' || n from generate_series(1, 5) n;
insert into tracker.projects (id, owner_id, title, invite_token)
select md5('project ' || n)::uuid, md5('member ' || n)::uuid, 'Project ' || n, 'secret token ' || n from generate_series(1, 4) n;
insert into tracker.tasks (id, project_id, assignee_id, title, points, private_note)
select md5('task ' || n)::uuid, md5('project ' || n % 4 + 1)::uuid, md5('member ' || n % 5 + 1)::uuid, 'Task ' || n, n % 10,
  'secret note ' || n
from generate_series(1, 200) n;
insert into tracker.comments (id, task_id, author_id, body)
select md5('comment ' || n)::uuid, md5('task ' || n % 200 + 1)::uuid, md5('member ' || n % 5 + 1)::uuid, 'Comment ' || n
from generate_series(1, 1000) n;
