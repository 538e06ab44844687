import { useEffect, useRef, useState } from "react";

// The application's own hook, as the document of 28 July plans it: an EventSource, onmessage, and the ID of the last message.
// It knows four events, and leaves out the others.

interface Being {
  id: string;
  name: string;
}
interface Intention {
  id: string;
  state: string;
  content: unknown[];
}
type SyncEvent =
  | { type: "intention-created"; data: Intention; messageId: string }
  | { type: "intention-updated"; data: Intention; messageId: string }
  | { type: "being-updated"; data: Being }
  | { type: "space-sync"; beings: Being[]; intentions: Intention[]; lastMessageId: string };

/** `isOpen`: a connection that is closed by hand, and opened again with `?since={lastMessageId}`. */
export function useSync(spaceId: string, isOpen: boolean) {
  const [beings, setBeings] = useState<Being[]>([]);
  const [intentions, setIntentions] = useState<Intention[]>([]);
  const [seen, setSeen] = useState<string[]>([]);
  const lastMessageId = useRef<string>(undefined);

  useEffect(() => {
    if (!isOpen) return;
    const since = lastMessageId.current ? `&since=${encodeURIComponent(lastMessageId.current)}` : "";
    const source = new EventSource(`/api/stream?spaceId=${encodeURIComponent(spaceId)}${since}`);
    source.onmessage = ({ data }) => {
      const event = JSON.parse(data) as SyncEvent;
      setSeen((types) => [...types, event.type]);
      switch (event.type) {
        case "space-sync":
          setBeings(event.beings);
          setIntentions(event.intentions);
          lastMessageId.current = event.lastMessageId;
          break;
        case "intention-created":
          setIntentions((all) => put(all, event.data));
          lastMessageId.current = event.messageId;
          break;
        case "intention-updated":
          setIntentions((all) => put(all, event.data));
          break;
        case "being-updated":
          setBeings((all) => put(all, event.data));
          break;
      }
    };
    return () => source.close();
  }, [spaceId, isOpen]);

  return { beings, intentions, seen };
}

/** In the place of the one with its ID, or at the end. */
function put<T extends { id: string }>(all: T[], one: T): T[] {
  return all.some(({ id }) => id === one.id) ? all.map((it) => (it.id === one.id ? one : it)) : [...all, one];
}
