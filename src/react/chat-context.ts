import { createContext, type ReactNode, useContext } from "react";
import type { Intention } from "../client/index.js";
import type { SharedSpaceClient } from "../client/shared-client.js";
import type { ChatLabels } from "./chat-labels.js";

/** What all parts of a chat have in common. */
export interface ChatContext {
  client: SharedSpaceClient;
  /** The being that writes here: its messages are marked as own, and not read out. */
  ownerId: string | undefined;
  labels: ChatLabels;
  canStop: boolean;
  renderContent: ((message: Intention) => ReactNode) | undefined;
}

const Context = createContext<ChatContext | null>(null);

export const ChatProvider = Context.Provider;

export const useChat = () => useContext(Context) as ChatContext;
