import { useEffect, useRef, useState } from "react";
import type { Intention } from "../client/index.js";
import type { SharedSpaceClient } from "../client/shared-client.js";
import { useChat } from "./chat-context.js";
import type { ChatLabels } from "./chat-labels.js";
import { cachedName, comeSince, ownerName, statusOf, textOfPart } from "./conversation.js";

/** More new messages than this at once are only counted: nobody wants to hear all that was missed. */
const MOST_READ = 5;
const KEPT = 10;

const VISUALLY_HIDDEN = {
  position: "absolute",
  width: 1,
  height: 1,
  overflow: "hidden",
  clipPath: "inset(50%)",
  whiteSpace: "nowrap",
} as const;

/** Has screen readers read new messages of others out, each one once, when it is complete. */
export function ChatAnnouncer() {
  const { client, ownerId, labels } = useChat();
  const [said, setSaid] = useState<readonly { key: number; text: string }[]>([]);
  const lastKey = useRef(0);

  useEffect(() => {
    const before = client.getSnapshot();
    let ids = before.data && before.intentionIds;
    const waiting = new Set<string>();
    return client.subscribe(() => {
      const { data, intentionIds, pendingIds } = client.getSnapshot();
      if (!data) return;
      if (ids && ids !== intentionIds) {
        for (const id of comeSince(new Set(ids), intentionIds)) {
          const isOwn = ownerId !== undefined && client.getIntention(id)?.ownerId === ownerId;
          if (!isOwn && !pendingIds.has(id)) waiting.add(id);
        }
      }
      ids = intentionIds;
      const complete: Intention[] = [];
      for (const id of waiting) {
        const message = client.getIntention(id);
        if (message && !isFinished(message)) continue;
        waiting.delete(id);
        if (message) complete.push(message);
      }
      if (complete.length === 0) return;
      const isMuch = complete.length > MOST_READ;
      const texts = isMuch
        ? [labels.newMessages(complete.length)]
        : complete.map((message) => textOf(message, client, labels));
      const added = texts.map((text) => ({ key: ++lastKey.current, text }));
      setSaid((said) => [...said, ...added].slice(-KEPT));
    });
  }, [client, ownerId, labels]);

  return (
    <div className="sf-chat-announcer" aria-live="polite" aria-relevant="additions" style={VISUALLY_HIDDEN}>
      {said.map(({ key, text }) => (
        <div key={key}>{text}</div>
      ))}
    </div>
  );
}

function isFinished({ state }: Intention): boolean {
  return state === "complete" || state === "failed" || state === "cancelled";
}

function textOf(message: Intention, client: SharedSpaceClient, labels: ChatLabels): string {
  const words = [...statusOf(message, labels), ...message.content.map(textOfPart)].filter(Boolean);
  const name = ownerName(client.getSnapshot(), message.ownerId) ?? cachedName(message.ownerId);
  return `${name || labels.somebody}: ${words.join(" ")}`;
}
