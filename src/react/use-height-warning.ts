import { useEffect } from "react";

/** A page that opens its chat with an animation is through by then. */
const PATIENCE_MS = 1_000;

/** In development, says that the list has no height: there is nothing to see then, and nothing wrong. */
export function useHeightWarning(scroller: HTMLElement | null): void {
  useEffect(() => {
    if (!scroller || !isDevelopment()) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      // What is hidden has no width either.
      if (scroller.clientWidth > 0 && scroller.clientHeight === 0) console.warn(WARNING);
    };
    const sizes = new ResizeObserver(() => {
      clearTimeout(timer);
      timer = setTimeout(look, PATIENCE_MS);
    });
    sizes.observe(scroller);
    return () => {
      clearTimeout(timer);
      sizes.disconnect();
    };
  }, [scroller]);
}

const WARNING = `Spacefeed: the messages of <Chat> are not seen, for their list has no height. The page gives it one:
.sf-chat { display: flex; flex-direction: column; height: 30rem }
.sf-chat-list { flex: 1 }`;

declare const process: { env: { NODE_ENV?: string } };

/** Bundlers put the word in. Where there is none, and no bundler, nobody is told. */
function isDevelopment(): boolean {
  try {
    return process.env.NODE_ENV !== "production";
  } catch {
    return false;
  }
}
