import { type FormEvent, useState } from "react";
import { useSpaceClient } from "../../react/index.js";
import { NAMES, PROJECT, type State } from "./task.js";

/** Adds a card at the end of a column. */
export function NewCard({ state, rank }: { state: State; rank: number }) {
  const { createEntity } = useSpaceClient(PROJECT);
  const [title, setTitle] = useState("");
  const add = (event: FormEvent) => {
    event.preventDefault();
    if (title.trim() === "") return;
    createEntity("task", { title: title.trim(), state, rank }).catch(() => {});
    setTitle("");
  };
  return (
    <form className="new-card" onSubmit={add}>
      <input
        value={title}
        onChange={(event) => setTitle(event.target.value)}
        placeholder="Add a card"
        aria-label={`A new card in ${NAMES[state]}`}
        maxLength={200}
      />
    </form>
  );
}
