import { useSyncExternalStore } from "react";

/** What somebody is about to say. */
export interface Draft {
  readonly text: string;
  /** Why the last message was refused. */
  readonly error: string | null;
}

const EMPTY: Draft = { text: "", error: null };

// Drafts outlive their components: nothing is lost when another space is looked at meanwhile, or when a
// message is refused after that. Those that are empty are not kept.
const drafts = new Map<string, Draft>();
const listeners = new Set<() => void>();
/** Drafts that an input method is composing in, with what waits until it is done. */
const composing = new Map<string, (() => void)[]>();

/** The draft of this key, which says whose it is, and where. */
export function useDraft(key: string): Draft {
  return useSyncExternalStore(
    subscribe,
    () => drafts.get(key) ?? EMPTY,
    () => EMPTY,
  );
}

/** Puts down what stands in the field now. An empty one has nothing left to complain of. */
export function writeDraft(key: string, text: string): void {
  set(key, text === "" ? EMPTY : { text, error: drafts.get(key)?.error ?? null });
}

/** Puts a refused text back, before what was typed since. */
export function returnToDraft(key: string, text: string, error: string): void {
  const put = () => {
    const since = drafts.get(key)?.text;
    set(key, { text: since ? `${text}\n${since}` : text, error });
  };
  const waiting = composing.get(key);
  if (waiting) waiting.push(put);
  else put();
}

/** While an input method composes a character, the text must not change under it. */
export function composeDraft(key: string, isComposing: boolean): void {
  const waiting = composing.get(key) ?? [];
  if (isComposing) composing.set(key, waiting);
  else composing.delete(key);
  if (!isComposing) for (const put of waiting) put();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function set(key: string, draft: Draft): void {
  if (draft.text === "") drafts.delete(key);
  else drafts.set(key, draft);
  for (const listener of listeners) listener();
}
