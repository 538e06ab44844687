import type { Intention } from "../client/index.js";

/** Every text that `Chat` itself brings, for translation. */
export interface ChatLabels {
  /** The name of the whole, for those who hear it. */
  chat: string;
  /** The name of the list of messages. */
  messages: string;
  /** While nothing is known of the space. */
  waiting: string;
  /** Where the conversation begins. */
  beginning: string;
  showOlder: string;
  loadingOlder: string;
  newMessages: (count: number) => string;
  /** The owner of a message without a known one. */
  somebody: string;
  pending: string;
  /** What a message of type `error` says of itself. */
  error: string;
  /** What a message in each state says of itself; nothing when it is complete. */
  states: Record<Exclude<Intention["state"], "complete">, string>;
  /** The name of the field to write in. */
  message: string;
  send: string;
}

export const CHAT_LABELS: ChatLabels = {
  chat: "Chat",
  messages: "Messages",
  waiting: "Waiting for the conversation …",
  beginning: "The conversation begins here.",
  showOlder: "Show older messages",
  loadingOlder: "Loading older messages …",
  newMessages: (count) => (count === 1 ? "1 new message" : `${count} new messages`),
  somebody: "Somebody",
  pending: "Sending …",
  error: "Error",
  states: {
    draft: "Draft",
    active: "Writing …",
    paused: "Paused",
    cancelled: "Cancelled",
    failed: "Failed",
  },
  message: "Message",
  send: "Send",
};
