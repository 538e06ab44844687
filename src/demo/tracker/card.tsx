import { useSpaceClient, useSpaceData } from "../../react/index.js";
import { cardsOf, NAMES, PROJECT, rankAt, STATES, type Task } from "./task.js";

/** One card: moved with the pointer, or with its buttons. */
export function Card({ task, tasks }: { task: Task; tasks: readonly Task[] }) {
  const { updateEntity, deleteEntity } = useSpaceClient(PROJECT);
  const { pendingIds } = useSpaceData(PROJECT);
  const at = STATES.indexOf(task.state);
  const neighbours = [STATES[at - 1], STATES[at + 1]];
  return (
    <li
      className="card"
      data-card={task.id}
      data-pending={pendingIds.has(task.id)}
      draggable
      onDragStart={(event) => event.dataTransfer.setData("text/plain", task.id)}
    >
      <span>{task.title}</span>
      <span className="card-actions">
        {neighbours.map(
          (state, index) =>
            state && (
              <button
                key={state}
                type="button"
                aria-label={`Move “${task.title}” to ${NAMES[state]}`}
                onClick={() => {
                  const cards = cardsOf(tasks, state);
                  updateEntity("task", task.id, { state, rank: rankAt(cards, cards.length) }).catch(() => {});
                }}
              >
                {index === 0 ? "←" : "→"}
              </button>
            ),
        )}
        <button
          type="button"
          aria-label={`Delete “${task.title}”`}
          onClick={() => void deleteEntity("task", task.id).catch(() => {})}
        >
          ×
        </button>
      </span>
    </li>
  );
}
