import { type MouseEvent, memo, type ReactNode } from "react";
import type { Intention } from "../client/index.js";
import { useChat } from "./chat-context.js";
import { beginsGroup, cachedName, messageOf, ownerName, statusOf, textOfPart } from "./conversation.js";
import { useSelected } from "./use-space-client.js";

export interface ChatMessageProps {
  id: string;
  /** The message above it. */
  previousId: string | undefined;
}

/** One message. It renders again when it changes, and not when another one does. */
export const ChatMessage = memo(function ChatMessage({ id, previousId }: ChatMessageProps) {
  const { client, ownerId, labels, canStop, renderContent = defaultContent } = useChat();
  const message = useSelected(client, (snapshot) => messageOf(snapshot, id));
  const isPending = useSelected(client, ({ pendingIds }) => pendingIds.has(id));
  const isFirst = useSelected(client, (snapshot) =>
    beginsGroup(messageOf(snapshot, previousId), messageOf(snapshot, id)),
  );
  if (!message) return null;

  const status = statusOf(message, labels, isPending).join(", ");
  return (
    <div
      className="sf-message"
      data-own={(ownerId !== undefined && message.ownerId === ownerId) || undefined}
      data-first={isFirst || undefined}
      data-pending={isPending || undefined}
      data-state={message.state}
      data-type={message.type}
      aria-busy={isPending}
    >
      {isFirst && <MessageHead message={message} />}
      <div className="sf-message-content" dir="auto">
        {renderContent(message)}
      </div>
      {status && <div className="sf-message-status">{status}</div>}
      {canStop && message.state === "active" && !isPending && <MessageStop message={message} />}
    </div>
  );
});

function MessageHead({ message: { ownerId, createdAt } }: { message: Intention }) {
  const name = useOwnerName(ownerId);
  return (
    <div className="sf-message-head">
      <span className="sf-message-owner" dir="auto">
        {name}
      </span>{" "}
      {/* A server has another clock. */}
      <time className="sf-message-time" dateTime={createdAt} suppressHydrationWarning>
        {timeOf(new Date(createdAt))}
      </time>
    </div>
  );
}

function MessageStop({ message: { id, ownerId } }: { message: Intention }) {
  const { client, labels } = useChat();
  const name = useOwnerName(ownerId);
  const stop = ({ currentTarget }: MouseEvent<HTMLButtonElement>) => {
    // The button goes: whoever has the focus on it goes on from the list.
    currentTarget.closest<HTMLElement>(".sf-chat-list")?.focus({ preventScroll: true });
    client.updateIntention(id, { state: "cancelled" }).catch(() => {}); // the composer shows a refusal
  };
  return (
    <button type="button" className="sf-message-stop" aria-label={labels.stopOf(name)} onClick={stop}>
      {labels.stop}
    </button>
  );
}

function useOwnerName(ownerId: string | null): string {
  const { client, labels } = useChat();
  const name = useSelected(
    client,
    (snapshot) => ownerName(snapshot, ownerId) ?? cachedName(ownerId),
    (snapshot) => ownerName(snapshot, ownerId),
  );
  return name || labels.somebody;
}

function timeOf(date: Date): string {
  const isToday = date.toDateString() === new Date().toDateString();
  return date.toLocaleString(
    undefined,
    isToday ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" },
  );
}

function defaultContent({ content }: Intention): ReactNode {
  return content.map((part, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: a part has no other name than its place
    <div key={index} className="sf-message-part" dir="auto">
      {textOfPart(part)}
    </div>
  ));
}
