import { memo, useCallback, useMemo } from "react";
import { Virtuoso } from "react-virtuoso";
import { useChat } from "./chat-context.js";
import { CHAT_LIST_PARTS, type ChatListContext } from "./chat-list-parts.js";
import { ChatMessage } from "./chat-message.js";
import { useFirstIndex } from "./use-first-index.js";
import { useOlder } from "./use-older.js";
import { useServerRendered } from "./use-server-rendered.js";
import { useSelected } from "./use-space-client.js";

export interface ChatListProps {
  /** Whether the list has been brought to its end. Before that there is nothing to see. */
  isPlaced: boolean;
  /** Is given the element that scrolls. */
  scrollerRef: (element: HTMLElement | null) => void;
}

/** Virtuoso takes the outline of the focused list away. People who use the keyboard need it. */
const STYLE = { outline: undefined };
const STYLE_UNTIL_PLACED = { ...STYLE, visibility: "hidden" } as const;
/** Messages are in the page a little before they are seen, so that new ones are measured at once. */
const AHEAD = { top: 0, bottom: 400 };

/** The messages. Only those near the reader are in the page. */
export const ChatList = memo(function ChatList({ isPlaced, scrollerRef }: ChatListProps) {
  const { client, labels } = useChat();
  const loaded = useSelected(client, (snapshot) => snapshot.intentionIds);
  const hasMore = useSelected(client, (snapshot) => snapshot.hasMore);
  // Whether a message begins a group is known when the one before it is. The oldest one waits until then, so
  // that nothing changes its height before the reader's eyes.
  const ids = useMemo(() => (hasMore && loaded.length > 1 ? loaded.slice(1) : loaded), [loaded, hasMore]);
  const first = useFirstIndex(ids);
  const { isLoading, load, onTop } = useOlder(client, ids, isPlaced);

  const previousOf = useMemo(
    () => new Map(loaded.slice(1).map((id, index) => [id, loaded[index] as string])),
    [loaded],
  );
  const count = ids.length;
  const isRenderedByServer = useServerRendered();
  const standIn = isRenderedByServer && !isPlaced ? ids : null;
  const context = useMemo<ChatListContext>(
    () => ({ standIn, previousOf, count, hasMore, isLoading, load }),
    [standIn, previousOf, count, hasMore, isLoading, load],
  );
  const takeScroller = useCallback(
    (element: HTMLElement | Window | null) => scrollerRef(element as HTMLElement | null),
    [scrollerRef],
  );
  return (
    <Virtuoso<string, ChatListContext>
      className="sf-chat-list"
      role="region"
      aria-label={labels.messages}
      style={isPlaced ? STYLE : STYLE_UNTIL_PLACED}
      scrollerRef={takeScroller}
      data={ids}
      firstItemIndex={first}
      increaseViewportBy={AHEAD}
      components={CHAT_LIST_PARTS}
      context={context}
      computeItemKey={keyOfMessage}
      itemContent={renderMessage}
      rangeChanged={({ startIndex }) => onTop(ids[startIndex - first])}
    />
  );
});

const keyOfMessage = (_index: number, id: string) => id;

const renderMessage = (_index: number, id: string, { previousOf }: ChatListContext) => (
  <ChatMessage id={id} previousId={previousOf.get(id)} />
);
