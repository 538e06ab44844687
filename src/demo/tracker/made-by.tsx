import { useId } from "react";
import { DevtoolsLink } from "../devtools.js";
import { PROJECT } from "./task.js";
import sql from "./tracker.sql?raw";

/** The lines of SQL that made the board, and one to move a card with. */
export function MadeBy({ isThere, psql }: { isThere: boolean; psql: string | null }) {
  const title = useId();
  return (
    <section className="made-by" aria-labelledby={title}>
      <h2 id={title}>
        {isThere ? "The SQL that made this board" : "No board yet: run this in your database"}
      </h2>
      {psql && <p className="made-by-way">{psql}</p>}
      <pre dir="ltr">
        <code>{sql.trim()}</code>
      </pre>
      {isThere && (
        <>
          <p>
            Move every card at once, from anywhere, and watch with the <DevtoolsLink />:
          </p>
          <pre dir="ltr">
            <code>{`update public.tasks set state = 'done' where project = '${PROJECT}';`}</code>
          </pre>
        </>
      )}
    </section>
  );
}
