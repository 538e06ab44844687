import { lazy, Suspense } from "react";

const Panel = lazy(async () => {
  const { SpacefeedDevtoolsInProduction } = await import("../devtools/index.js");
  return { default: SpacefeedDevtoolsInProduction };
});
const isAskedFor = new URLSearchParams(globalThis.location?.search).has("devtools");

/** The devtools, where the address asks for them. Other visitors do not load them. */
export function Devtools() {
  if (!isAskedFor) return null;
  return (
    <Suspense>
      <Panel initialIsOpen />
    </Suspense>
  );
}

/** The way there. */
export function DevtoolsLink({ hash = "" }: { hash?: string }) {
  return <a href={`?devtools${hash}`}>Devtools</a>;
}
