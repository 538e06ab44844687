import type { Session } from "../../support/postgres/session.js";

/** The tables of a project tracker, as another application may have made them; with a name only that this test file has. */
export async function makeTracker(session: Session): Promise<void> {
  await session.run(
    "create type public.urgency as enum ('low', 'very \"high\"')",
    "create domain public.short_text as text not null check (length(value) < 100)",
    `create table public.tasks (
       id uuid primary key default gen_random_uuid(),
       project_id text not null,
       title public.short_text,
       done boolean not null default false,
       urgency public.urgency,
       points integer,
       budget numeric(12, 2),
       size bigint not null default 9007199254740993,
       due date,
       "createdAt" timestamptz not null default now(),
       tags text[] not null default '{}',
       grid integer[][],
       details jsonb,
       "two words" text,
       secret text
     )`,
    "create index on public.tasks (project_id)",
  );
}

/** Those of its columns that leave. */
export const COLUMNS =
  "id,project_id,title,done,urgency,points,budget,size,due,createdAt,tags,grid,details,two words";
