import { Fragment, useEffect, useId, useRef, useState } from "react";

/** What to type to write into this space with SQL: with `psql`, where this page may say how to get in. */
export function PsqlLine({ psql, spaceId }: { psql: string | null; spaceId: string }) {
  // jsonb_build_array and not '["…"]': no shell needs another quoting for it.
  const statement = `insert into intentions (location_id, content) values ('${spaceId}', jsonb_build_array('Hello from ${psql ? "psql" : "SQL"}'))`;
  const line = psql ? `${psql} -c "${statement}"` : `${statement};`;
  const code = useRef<HTMLElement>(null);
  const title = useId();
  const [copied, setCopied] = useState(false);

  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2_000);
    return () => clearTimeout(timer);
  }, [copied]);

  return (
    <section className="psql" aria-labelledby={title}>
      <h2 id={title}>Write with SQL</h2>
      <p>{where(psql)}: the row shows here at its commit.</p>
      <div className="psql-line">
        <pre dir="ltr">
          <code ref={code}>{breakable(line)}</code>
        </pre>
        <button type="button" onClick={async () => setCopied(await copy(line, code.current))}>
          {copied ? "Copied" : "Copy"}
        </button>
      </div>
      <span className="visually-hidden" role="status">
        {copied ? "Copied" : ""}
      </span>
    </section>
  );
}

/** The embedded Postgres answers on its own machine only. */
function where(psql: string | null): string {
  if (psql === null) return "Run this in your database";
  const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  return isHere ? "Paste this into a terminal" : "Paste this into a terminal of the server";
}

/** An address is one word to a browser: it may be broken where people would. */
function breakable(line: string) {
  return line.split(/(?<=@|:\/\/)/).map((part, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one line
    <Fragment key={index}>
      {index > 0 && <wbr />}
      {part}
    </Fragment>
  ));
}

/** Where the clipboard is not for us, as on a page over plain HTTP, the line is selected for the visitor to copy. */
async function copy(text: string, element: HTMLElement | null): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    if (element) getSelection()?.selectAllChildren(element);
    return document.execCommand("copy");
  }
}
