import { type DragEvent, useId, useState } from "react";
import { useSpaceClient } from "../../react/index.js";
import { Card } from "./card.js";
import { NewCard } from "./new-card.js";
import { cardsOf, NAMES, PROJECT, rankAt, type State, type Task } from "./task.js";

/** One column of the board, onto which cards can be dropped. */
export function Column({ state, tasks }: { state: State; tasks: readonly Task[] }) {
  const { updateEntity } = useSpaceClient(PROJECT);
  const [isOver, setIsOver] = useState(false);
  const title = useId();
  const cards = cardsOf(tasks, state);

  const drop = (event: DragEvent) => {
    event.preventDefault();
    setIsOver(false);
    const id = event.dataTransfer.getData("text/plain");
    const others = cards.filter((card) => card.id !== id);
    const above = (event.target as Element).closest<HTMLElement>("[data-card]")?.dataset.card;
    const place = others.findIndex((card) => card.id === above);
    const rank = rankAt(others, place < 0 ? others.length : place);
    // A refusal is shown by the board.
    updateEntity("task", id, { state, rank }).catch(() => {});
  };

  return (
    <section
      className="column"
      aria-labelledby={title}
      data-over={isOver}
      onDragOver={(event) => {
        event.preventDefault();
        setIsOver(true);
      }}
      onDragLeave={() => setIsOver(false)}
      onDrop={drop}
    >
      <h2 id={title}>
        {NAMES[state]} <span className="column-count">{cards.length}</span>
      </h2>
      <ul>
        {cards.map((task) => (
          <Card key={task.id} task={task} tasks={tasks} />
        ))}
      </ul>
      <NewCard state={state} rank={rankAt(cards, cards.length)} />
    </section>
  );
}
