/** A scroll comes within this time after what has caused it, also on a slow machine. */
const RECENT_MS = 1_000;
const SCROLL_KEYS = new Set(["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", " "]);
/** Where keys write, and do not scroll what is around. */
const FIELDS = "input, textarea, select, [contenteditable]";

/**
 * Watches, until `signal`, whether the reader does what scrolls up: with the wheel, a finger, a key, or the pointer on a
 * scroll bar. Returns what says whether it may be the reader that moves the scroller now.
 */
export function watchReader(scroller: HTMLElement, signal: AbortSignal): () => boolean {
  const options = { passive: true, capture: true, signal };
  let actedAt = Number.NEGATIVE_INFINITY;
  let isHeld = false;
  const act = () => {
    actedAt = performance.now();
  };
  const hold = () => {
    isHeld = true;
  };
  const release = ({ button }: PointerEvent) => {
    // After the middle one the list scrolls as the pointer moves, until the next press.
    if (!isHeld || button === 1) return;
    isHeld = false;
    act();
  };

  scroller.addEventListener("wheel", ({ deltaY }) => deltaY < 0 && act(), options);
  scroller.addEventListener("touchmove", act, options);
  scroller.addEventListener("pointerdown", hold, options);
  window.addEventListener("pointerup", release, options);
  window.addEventListener("pointercancel", release, options);
  // Of the whole page: browsers scroll what was pressed last, though it has not the focus.
  const onKey = (event: KeyboardEvent) => {
    const [target] = event.composedPath();
    const isWritten = target instanceof Element && target.closest(FIELDS) !== null;
    // Tab goes to what may be further up, also out of a field.
    if (event.key === "Tab" || (SCROLL_KEYS.has(event.key) && !isWritten)) act();
  };
  window.addEventListener("keydown", onKey, options);
  return () => isHeld || performance.now() - actedAt < RECENT_MS;
}
