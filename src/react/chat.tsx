import { type ReactNode, useMemo, useState } from "react";
import type { Intention } from "../client/index.js";
import { ChatAnnouncer } from "./chat-announcer.js";
import { ChatComposer } from "./chat-composer.js";
import { ChatProvider } from "./chat-context.js";
import { CHAT_LABELS, type ChatLabels } from "./chat-labels.js";
import { ChatList } from "./chat-list.js";
import { ChatNewMessages } from "./chat-new-messages.js";
import { useFollow } from "./use-follow.js";
import { useHeightWarning } from "./use-height-warning.js";
import { useSelected, useSharedClient } from "./use-space-client.js";

export interface ChatProps {
  spaceId: string;
  /** The being that writes here. Its messages are marked as own. */
  ownerId?: string;
  className?: string;
  /** Other words than the English ones. Keep it the same object, or all messages render again. */
  labels?: Partial<ChatLabels>;
  /** Instead of the content as text. Keep it the same function, or all messages render again. */
  renderContent?: (message: Intention) => ReactNode;
  /** Messages that are being written (`active`) have a button that makes them `cancelled`: for whoever writes them to see. */
  canStop?: boolean;
}

/**
 * The conversation of a space, and a field to take part in it. It follows new messages until the reader
 * scrolls up, loads older ones towards the top, and holds any number of them.
 *
 * It brings no styles. The one thing that the page must do is give the list a height:
 *
 *     .sf-chat { display: flex; flex-direction: column; height: 30rem }
 *     .sf-chat-list { flex: 1 }
 *     .sf-message-part { white-space: pre-wrap; overflow-wrap: anywhere }
 *
 * Parts: `sf-chat`; in it `sf-chat-waiting` or `sf-chat-list`, `sf-chat-new` (a button), and `sf-composer`
 * with `-error`, `-label`, `-field` and `-send`. In the list `sf-chat-start` with `sf-chat-older` (a button),
 * and each `sf-message` (`data-own`, `data-first` of its group, `data-pending`, `data-state`, `data-type`)
 * with `-head`, `-owner`, `-time`, `-content`, `-part`, `-status` and `-stop` (a button).
 */
export function Chat(props: ChatProps) {
  return <ChatOfSpace key={props.spaceId} {...props} />;
}

function ChatOfSpace({
  spaceId,
  ownerId,
  className,
  labels: words,
  renderContent,
  canStop = false,
}: ChatProps) {
  const client = useSharedClient(spaceId);
  const labels = useMemo(() => ({ ...CHAT_LABELS, ...words }), [words]);
  const [scroller, setScroller] = useState<HTMLElement | null>(null);
  const { isPlaced, left, toEnd } = useFollow(client, scroller);
  useHeightWarning(scroller);
  const isKnown = useSelected(client, (snapshot) => snapshot.data !== null);
  const error = useSelected(client, ({ data, error, fault }) => (data ? null : (fault ?? error)));
  const chat = useMemo(
    () => ({ client, ownerId, labels, renderContent, canStop }),
    [client, ownerId, labels, renderContent, canStop],
  );
  const onNewMessages = () => {
    scroller?.focus({ preventScroll: true });
    toEnd();
  };

  return (
    <ChatProvider value={chat}>
      <section className={className ? `sf-chat ${className}` : "sf-chat"} aria-label={labels.chat}>
        {isKnown ? (
          <ChatList isPlaced={isPlaced} scrollerRef={setScroller} />
        ) : (
          <div className="sf-chat-waiting">{error?.message ?? labels.waiting}</div>
        )}
        {left && <ChatNewMessages left={left} onPress={onNewMessages} />}
        <ChatAnnouncer />
        <ChatComposer onSend={toEnd} />
      </section>
    </ChatProvider>
  );
}
