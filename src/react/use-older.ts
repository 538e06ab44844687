import { useCallback, useEffect, useRef, useState } from "react";
import type { SharedSpaceClient } from "../client/shared-client.js";

/** With fewer messages than this above, older ones are loaded: mostly before the reader is at the top. */
const MARGIN = 20;

export interface Older {
  isLoading: boolean;
  load: () => void;
  /** To be told the ID of the first message that is on the page, whenever it is another. */
  onTop: (id: string | undefined) => void;
}

/** Loads older messages when the reader comes near the first of `ids`, once the list is placed at its end. */
export function useOlder(client: SharedSpaceClient, ids: readonly string[], isPlaced: boolean): Older {
  const [isLoading, setLoading] = useState(false);
  const top = useRef<string | undefined>(undefined);

  const load = useCallback(() => {
    setLoading(true);
    // One page at a time. What goes wrong is in the snapshot's error; scrolling tries again, and so does the button.
    void client.loadOlder().finally(() => setLoading(false));
  }, [client]);

  const look = useCallback(() => {
    const { hasMore } = client.getSnapshot();
    const isNear = top.current !== undefined && ids.slice(0, MARGIN).includes(top.current);
    if (isPlaced && hasMore && isNear) load();
  }, [client, ids, isPlaced, load]);

  // A page may have brought less than fills the list.
  useEffect(look, [look]);

  const onTop = useCallback(
    (id: string | undefined) => {
      top.current = id;
      look();
    },
    [look],
  );
  return { isLoading, load, onTop };
}
