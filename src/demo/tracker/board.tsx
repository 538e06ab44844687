import { useEntities, useSpaceData } from "../../react/index.js";
import { ConnectionStatus } from "../connection-status.js";
import icon from "../icon.svg";
import { usePageFacts } from "../use-page-facts.js";
import { Column } from "./column.js";
import { MadeBy } from "./made-by.js";
import { PROJECT, STATES } from "./task.js";

/** The whole page: a board of a table that Spacefeed was put on. */
export function Board() {
  const { mode, fault, error, dismissError } = useSpaceData(PROJECT);
  const tasks = useEntities(PROJECT, "task");
  const facts = usePageFacts();
  return (
    <div className="tracker">
      <header className="bar">
        <h1 className="brand" aria-label="Spacefeed: a tracker">
          <img src={icon} alt="" width="28" height="28" />
          <span className="brand-name">Tracker</span>
        </h1>
        <nav className="tabs" aria-label="Demos">
          <a href="/" className="tab">
            Chat
          </a>
        </nav>
        <ConnectionStatus mode={mode} fault={fault} />
      </header>
      <main className="board">
        {STATES.map((state) => (
          <Column key={state} state={state} tasks={tasks} />
        ))}
      </main>
      {error && (
        <p className="board-error" role="alert">
          {error.message}{" "}
          <button type="button" onClick={dismissError}>
            Dismiss
          </button>
        </p>
      )}
      <MadeBy isThere={tasks.length > 0} psql={facts?.psql ?? null} />
    </div>
  );
}
