import { beforeAll } from "vitest";
import type { TestDatabase } from "./database.js";
import { Session } from "./session.js";

let made = 0;

/** A table of a project tracker, tracked and writable: a task is in the space of its project. */
export class Tracker {
  readonly session: Session = Object.create(Session.prototype);

  /** A project that nobody else has. Its space is there once it has a task. */
  newProject(): string {
    return `project-${++made}`;
  }

  /** Writes a task with SQL: its ID. */
  async write(projectId: string, title: string): Promise<string> {
    const text = "insert into tracker.tasks (project_id, title) values ($1, $2) returning id::text";
    return (await this.session.value(text, [projectId, title])) as string;
  }

  /** The titles of a project's tasks, as the database has them. */
  async titles(projectId: string): Promise<string[]> {
    const text = "select title from tracker.tasks where project_id = $1 order by title";
    return (await this.session.query(text, [projectId])).map(({ title }) => title as string);
  }
}

/** Tasks for a test file, tracked before its tests: `columns` leave, and `note` does not. */
export function useTracker(db: TestDatabase): Tracker {
  const tracker = new Tracker();
  beforeAll(async () => {
    Object.assign(tracker.session, await Session.open(db));
    await tracker.session.run(
      "create schema tracker",
      `create table tracker.tasks (id uuid primary key default gen_random_uuid(), project_id text not null,
       title text not null default '' check (title <> 'refused'), is_done boolean not null default false, note text)`,
      `select sync.track('tracker.tasks', space => 'project_id', columns => array['id', 'project_id', 'title', 'is_done'],
       name => 'task', writable => true)`,
      "call sync.fill('task')",
    );
  });
  return tracker;
}
