import { useCallback, useEffect, useRef, useState } from "react";
import type { SharedSpaceClient } from "../client/shared-client.js";
import { watchReader } from "./reader.js";

/** Scrollers of zoomed pages end at fractions of a pixel. */
const AT_END_PX = 2;
/** What is measured anew moves the list within this time, also on a slow machine. */
const SETTLED_MS = 1_000;
/** What grows in the list: the messages, and what stands above them. */
const CONTENT = ".sf-chat-messages, .sf-chat-start";

export interface Follow {
  /** The end has been reached for the first time: there is something to show. */
  isPlaced: boolean;
  /** The messages that were there when the reader left the end; null while the list follows it. */
  left: readonly string[] | null;
  /** Goes to the end, and follows it from there. */
  toEnd: () => void;
}

/**
 * Keeps a scroller at its end, while its content grows there or it gets smaller itself, until the reader
 * scrolls up. When they are at the end again, it follows again.
 */
export function useFollow(client: SharedSpaceClient, scroller: HTMLElement | null): Follow {
  const [left, setLeft] = useState<readonly string[] | null>(null);
  const [isPlaced, setPlaced] = useState(false);
  const isFollowing = useRef(true);

  const toEnd = useCallback(() => {
    isFollowing.current = true;
    setLeft(null);
    if (scroller) scroller.scrollTop = scroller.scrollHeight;
  }, [scroller]);

  useEffect(() => {
    if (!scroller) return;
    const watching = new AbortController();
    const { signal } = watching;
    const isScrolling = watchReader(scroller, signal);
    let before = scroller.scrollTop;
    let changedAt = performance.now();

    // A frame later the list has measured what has grown. Before that it would render the wrong part of it.
    const follow = () =>
      requestAnimationFrame(() => {
        if (isFollowing.current) scroller.scrollTop = scroller.scrollHeight;
        // And one more until it has rendered what is there.
        requestAnimationFrame(() => setPlaced(true));
      });
    // While it measures, the list may be shorter for a moment, and the browser moves it up. That was not the
    // reader. A list that was at rest moves by what sends no event: a screen reader, or a search in the page.
    const isReader = () => isScrolling() || performance.now() - changedAt > SETTLED_MS;
    const onScroll = () => {
      const { scrollTop, scrollHeight, clientHeight } = scroller;
      if (scrollHeight - clientHeight - scrollTop <= AT_END_PX) {
        isFollowing.current = true;
        setLeft(null);
      } else if (scrollTop < before && isFollowing.current) {
        if (isReader()) {
          isFollowing.current = false;
          setLeft(client.getSnapshot().intentionIds);
        } else follow();
      }
      before = scrollTop;
    };
    const onChange = () => {
      changedAt = performance.now();
    };
    const sizes = new ResizeObserver(() => {
      onChange();
      // Shorter content moves the reader up, too. That was not the reader.
      before = scroller.scrollTop;
      follow();
    });
    sizes.observe(scroller);
    for (const content of scroller.querySelectorAll(CONTENT)) sizes.observe(content);
    const unsubscribe = client.subscribe(onChange);
    // Before the list's own listener, which renders.
    scroller.addEventListener("scroll", onScroll, { passive: true, capture: true, signal });
    return () => {
      watching.abort();
      sizes.disconnect();
      unsubscribe();
    };
  }, [client, scroller]);

  return { isPlaced, left, toEnd };
}
