import { useEffect, useState } from "react";
import { useSpaceData } from "../react/index.js";
import type { DemoSpace } from "./spaces.js";

/** The way to a space: its name as it is now, and how much was said there since the visitor has left it. */
export function SpaceTab({ space, isCurrent }: { space: DemoSpace; isCurrent: boolean }) {
  const { data, utterances } = useSpaceData(space.id);
  const name = data?.beings.find(({ id }) => id === space.id)?.name || space.name;
  const last = utterances.at(-1)?.createdAt ?? "";
  const [seen, setSeen] = useState<string | null>(null);

  useEffect(() => {
    if (data && (isCurrent || seen === null)) setSeen(last);
  }, [data, isCurrent, seen, last]);

  const unread =
    isCurrent || seen === null ? 0 : utterances.filter(({ createdAt }) => createdAt > seen).length;
  return (
    <a href={`#${space.id}`} className="tab" aria-current={isCurrent ? "page" : undefined}>
      <span className="tab-name" dir="auto">
        {name}
      </span>
      {unread > 0 && (
        <span className="tab-unread">
          {unread > 99 ? "99+" : unread}
          <span className="visually-hidden"> new</span>
        </span>
      )}
    </a>
  );
}
