create table public.tasks (
  id       uuid primary key default gen_random_uuid(),
  project  text not null,
  title    text not null,
  state    text not null default 'todo' check (state in ('todo', 'doing', 'done')),
  rank     double precision not null default extract(epoch from clock_timestamp())
);
create index on public.tasks (project);

insert into public.tasks (project, title, state)
values ('tracker', 'Find out what a DBA asks first', 'done'),
  ('tracker', 'Put Spacefeed on a table of ours', 'doing'),
  ('tracker', 'Move this card in another browser', 'todo'),
  ('tracker', 'Move it with psql', 'todo');

select sync.track('public.tasks', space => 'project', name => 'task',
  columns => array['id', 'title', 'state', 'rank'], writable => true);

call sync.fill('task');
