import type { Intention } from "../client/index.js";

/** Every text that `Chat` itself brings, for translation. */
export const CHAT_LABELS = {
  /** The name of the whole, for screen readers. */
  chat: "Chat",
  /** The name of the list of messages, for screen readers. */
  messages: "Messages",
  /** While nothing is known of the space. */
  waiting: "Waiting for the conversation …",
  /** Where the conversation begins. */
  beginning: "The conversation begins here.",
  showOlder: "Show older messages",
  loadingOlder: "Loading older messages …",
  newMessages: (count: number) => (count === 1 ? "1 new message" : `${count} new messages`),
  /** The owner of a message without a known one. */
  somebody: "Somebody",
  pending: "Sending …",
  /** What a message of type `error` says of itself. */
  error: "Error",
  /** What a message in each state says of itself; nothing when it is complete. */
  states: {
    draft: "Draft",
    active: "Writing …",
    paused: "Paused",
    cancelled: "Cancelled",
    failed: "Failed",
  } satisfies Record<Exclude<Intention["state"], "complete">, string>,
  /** The button at a message that is being written; the name is its owner's. */
  stop: "Stop",
  stopOf: (name: string) => `Stop ${name}`,
  /** The name of the field to write in. */
  message: "Message",
  send: "Send",
};

export type ChatLabels = typeof CHAT_LABELS;
