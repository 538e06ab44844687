import { useMemo } from "react";
import { useChat } from "./chat-context.js";
import { comeSince } from "./conversation.js";
import { useSelected } from "./use-space-client.js";

export interface ChatNewMessagesProps {
  /** The messages that were there when the reader left the end. */
  left: readonly string[];
  onPress: () => void;
}

/** How many messages have come below the reader, and the way down to them. */
export function ChatNewMessages({ left, onPress }: ChatNewMessagesProps) {
  const { client, labels } = useChat();
  const ids = useSelected(client, (snapshot) => snapshot.intentionIds);
  const known = useMemo(() => new Set(left), [left]);
  const count = useMemo(() => comeSince(known, ids).length, [known, ids]);
  if (count === 0) return null;
  return (
    <button type="button" className="sf-chat-new" onClick={onPress}>
      {labels.newMessages(count)}
    </button>
  );
}
