import { Detail } from "./detail.js";
import type { Entry } from "./log.js";

/** What happened last, the newest first. */
export function EventList({ log }: { log: readonly Entry[] }) {
  return (
    <section className="events" aria-labelledby="events">
      <h3 id="events">
        Last events <span className="soft">{log.length}</span>
      </h3>
      <ol className="entries">
        {log.map(({ n, what, ...entry }) => (
          <Detail key={n} {...entry}>
            {what}
          </Detail>
        ))}
      </ol>
    </section>
  );
}
