import { forwardRef } from "react";
import type { Components, ContextProp, ItemProps, ListProps, ScrollerProps } from "react-virtuoso";
import { useChat } from "./chat-context.js";
import { ChatMessage } from "./chat-message.js";

/** What the elements of the list have in common. */
export interface ChatListContext {
  /** What a server has rendered, until the list is placed: all of these messages, at their end. Else null. */
  standIn: readonly string[] | null;
  /** The message above each. */
  previousOf: ReadonlyMap<string, string>;
  count: number;
  hasMore: boolean;
  isLoading: boolean;
  load: () => void;
}

/** A margin that sticks out of an item, or an item without any height, would be measured wrongly. */
const MEASURABLE = { display: "flow-root", minHeight: 1 } as const;

const List = forwardRef<HTMLDivElement, ListProps & ContextProp<ChatListContext>>(function List(
  { context: _, ...props },
  ref,
) {
  // biome-ignore lint/a11y/useSemanticElements: the margins of a list element would be measured wrongly
  return <div {...props} ref={ref} role="list" className="sf-chat-messages" />;
});

function Item({ context, item: _, style, ...props }: ItemProps<string> & ContextProp<ChatListContext>) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: as the list around it
    <div
      {...props}
      style={{ ...style, ...MEASURABLE }}
      role="listitem"
      aria-posinset={props["data-index"] + 1}
      aria-setsize={context.hasMore ? -1 : context.count}
    />
  );
}

/** Above the oldest message: the way to older ones, or that there are none. */
function Header({ context: { hasMore, isLoading, load } }: ContextProp<ChatListContext>) {
  const { labels } = useChat();
  return (
    <div className="sf-chat-start">
      {hasMore ? (
        <button type="button" className="sf-chat-older" aria-disabled={isLoading} onClick={load}>
          {isLoading ? labels.loadingOlder : labels.showOlder}
        </button>
      ) : (
        labels.beginning
      )}
    </div>
  );
}

/** At its end without a script, and seen within a list that is hidden, wherever that is scrolled to. */
const STAND_IN = {
  position: "sticky",
  top: 0,
  height: "100%",
  overflowY: "auto",
  visibility: "visible",
  display: "flex",
  flexDirection: "column-reverse",
} as const;

/** Where it is shorter than the list. */
const STANDS_AT_TOP = { marginBottom: "auto" } as const;

function StandIn({ ids, context }: { ids: readonly string[]; context: ChatListContext }) {
  return (
    <div style={STAND_IN}>
      <div style={STANDS_AT_TOP}>
        <Header context={context} />
        {/* biome-ignore lint/a11y/useSemanticElements: as the list that it stands for */}
        <div role="list" className="sf-chat-messages">
          {ids.map((id) => (
            // biome-ignore lint/a11y/useSemanticElements: as the list around it
            <div key={id} role="listitem" style={MEASURABLE}>
              <ChatMessage id={id} previousId={context.previousOf.get(id)} />
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

const Scroller = forwardRef<HTMLDivElement, ScrollerProps & ContextProp<ChatListContext>>(function Scroller(
  { context, children, ...props },
  ref,
) {
  return (
    <div {...props} ref={ref}>
      {context.standIn && <StandIn ids={context.standIn} context={context} />}
      {children}
    </div>
  );
});

export const CHAT_LIST_PARTS: Components<string, ChatListContext> = { List, Item, Header, Scroller };
