import { useState } from "react";
import { observed } from "../client/observed.js";
import { EventList } from "./event-list.js";
import { cut, mend } from "./line.js";
import type { Entry } from "./log.js";
import { PendingList } from "./pending-list.js";
import { SpaceFacts } from "./space-facts.js";
import { SpaceList } from "./space-list.js";

/** All of it: the spaces that this page follows, one of them in detail, and what happened last. */
export function Panel({ id, log, isCut }: { id: string; log: readonly Entry[]; isCut: boolean }) {
  const clients = [...observed.clients];
  const [chosen, setChosen] = useState(() => clients[0]);
  const shown = clients.find((client) => client === chosen) ?? clients[0];
  return (
    <div className="panel" id={id}>
      <header>
        <h2>Spacefeed</h2>
        <button type="button" data-cut={isCut} onClick={isCut ? mend : cut}>
          {isCut ? "Mend the line" : "Cut the line"}
        </button>
      </header>
      <SpaceList clients={clients} shown={shown} onChoose={(client) => setChosen(() => client)} />
      {shown && <SpaceFacts store={shown()} />}
      <PendingList clients={clients} />
      <EventList log={log} />
    </div>
  );
}
