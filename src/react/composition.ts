import type { KeyboardEvent } from "react";

/**
 * Whether a key is meant for an input method that composes a character: Enter takes the one that it proposes,
 * Escape none. In Safari the composition has ended by then, and only the old key code says so.
 */
export function isForInputMethod(event: KeyboardEvent): boolean {
  return event.nativeEvent.isComposing || event.keyCode === 229;
}
