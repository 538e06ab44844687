import { useEffect, useId, useState } from "react";
import { createPortal } from "react-dom";
import { mend, useIsCut } from "./line.js";
import { useLog } from "./log.js";
import { Panel } from "./panel.js";
import { STYLE } from "./style.js";
import { useShadowRoot } from "./use-shadow-root.js";

export interface DevtoolsProps {
  /** Unless given: false, and a tab at the edge of the page opens it. */
  initialIsOpen?: boolean;
}

/** The tab at the edge of the page, and the panel that it opens. */
export function Devtools({ initialIsOpen = false }: DevtoolsProps) {
  const root = useShadowRoot(STYLE);
  const [isOpen, setIsOpen] = useState(initialIsOpen);
  const log = useLog();
  const isCut = useIsCut();
  const panel = useId();
  // Without the panel nobody could.
  useEffect(() => mend, []);
  if (!root) return null;
  return createPortal(
    <aside aria-label="Spacefeed devtools" data-open={isOpen}>
      <button
        type="button"
        className="tab"
        aria-expanded={isOpen}
        aria-controls={isOpen ? panel : undefined}
        data-cut={isCut}
        onClick={() => setIsOpen(!isOpen)}
      >
        {isOpen ? "Close" : "Devtools"}
      </button>
      {isOpen && <Panel id={panel} log={log} isCut={isCut} />}
    </aside>,
    root,
  );
}
