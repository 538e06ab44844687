import { type ReactNode, useState } from "react";
import type { Entry } from "./log.js";

const WAYS = { in: ["↓", "from the server"], out: ["↑", "from this page"], line: ["•", "the line"] } as const;
/** A state may have 10,000 messages. */
const SHOWN = 20_000;

interface DetailProps extends Omit<Entry, "n" | "what"> {
  children: ReactNode;
}

/** A line of a list, which opens to all that is known of it. */
export function Detail({ at, spaceId, way, version, detail, children }: DetailProps) {
  const [isOpen, setIsOpen] = useState(false);
  const [arrow, says] = WAYS[way];
  return (
    <li>
      <details onToggle={(event) => setIsOpen(event.currentTarget.open)}>
        <summary>
          <span className="arrow" data-way={way} role="img" aria-label={says}>
            {arrow}
          </span>
          <time className="soft">{at.toTimeString().slice(0, 8)}</time>
          <span className="name">{children}</span>
          <span className="soft">
            {spaceId}
            {version != null && ` v${version}`}
          </span>
        </summary>
        {isOpen && <pre dir="ltr">{JSON.stringify(detail, null, 2)?.slice(0, SHOWN)}</pre>}
      </details>
    </li>
  );
}
