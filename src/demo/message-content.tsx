import type { Intention } from "../client/index.js";
import { Avatar } from "./avatar.js";

/** What a message says, beside the mark of who says it. Anything but text is shown as the JSON that it is. */
export function MessageContent({ message }: { message: Intention }) {
  const { content, ownerId, locationId } = message;
  return (
    <>
      <Avatar spaceId={locationId} beingId={ownerId} />
      <div className="said">
        {content.length === 0 && <span className="said-nothing" />}
        {content.map((part, index) =>
          typeof part === "string" ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: a part has no other name than its place
            <p key={index} dir="auto">
              {part}
            </p>
          ) : (
            // biome-ignore lint/suspicious/noArrayIndexKey: as above
            // biome-ignore lint/a11y/noNoninteractiveTabindex: without a mouse it is scrolled with keys
            <pre key={index} dir="ltr" tabIndex={0}>
              {JSON.stringify(part, null, 2)}
            </pre>
          ),
        )}
      </div>
    </>
  );
}
