/** The space of the board: what column `project` says. */
export const PROJECT = "tracker";

export const STATES = ["todo", "doing", "done"] as const;
export type State = (typeof STATES)[number];

export const NAMES: Record<State, string> = { todo: "To do", doing: "Doing", done: "Done" };

/** A row of the table, as its wire function sends it. */
export interface Task {
  id: string;
  title: string;
  state: State;
  /** Cards of a column are in this order. */
  rank: number;
}

declare module "../../client/index.js" {
  interface Entities {
    task: Task;
  }
}

/** The cards of a column, in their order. */
export function cardsOf(tasks: readonly Task[], state: State): Task[] {
  return tasks
    .filter((task) => task.state === state)
    .sort((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : 1));
}

/** A rank before the card at this place, and after the one above it; at the end, after all. */
export function rankAt(cards: readonly Task[], place: number): number {
  const [above, below] = [cards[place - 1]?.rank, cards[place]?.rank];
  if (above === undefined && below === undefined) return 0;
  if (above === undefined) return (below as number) - 1;
  return below === undefined ? above + 1 : (above + below) / 2;
}
