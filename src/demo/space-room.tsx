import { useMemo } from "react";
import type { Intention } from "../client/index.js";
import { Chat } from "../react/index.js";
import { EmptySpace } from "./empty-space.js";
import { MessageContent } from "./message-content.js";
import type { DemoSpace } from "./spaces.js";

const renderContent = (message: Intention) => <MessageContent message={message} />;

/** What is said in a space. */
export function SpaceRoom({ space, visitorId }: { space: DemoSpace; visitorId: string }) {
  const labels = useMemo(
    () => ({
      chat: space.name,
      somebody: "SQL",
      beginning: "This is where it begins.",
      message: "Write a message",
    }),
    [space],
  );
  return (
    <main className="room">
      <EmptySpace space={space} visitorId={visitorId} />
      <Chat spaceId={space.id} ownerId={visitorId} labels={labels} renderContent={renderContent} canStop />
    </main>
  );
}
