// Rows of a tracked table, with the types that their user declares.
import { useEntities, useEntity, useSpaceClient } from "spacefeed/react";

interface Task {
  id: string;
  title: string;
  done: boolean;
}
declare module "spacefeed" {
  interface Entities {
    task: Task;
  }
}

export function Tasks({ spaceId }: { spaceId: string }) {
  const { updateEntity } = useSpaceClient(spaceId);
  const tasks: readonly Task[] = useEntities(spaceId, "task");
  const first: Task | undefined = useEntity(spaceId, "task", tasks[0]?.id ?? "");
  return (
    <ul aria-label={first?.title}>
      {tasks.map(({ id, title, done }) => (
        <li key={id}>
          <label>
            <input
              type="checkbox"
              checked={done}
              onChange={() => void updateEntity("task", id, { done: !done })}
            />
            {title}
          </label>
        </li>
      ))}
    </ul>
  );
}
