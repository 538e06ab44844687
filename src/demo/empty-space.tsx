import { useSpaceData } from "../react/index.js";
import { BOT, type DemoSpace } from "./spaces.js";

const OPENERS = ["Hello!", "help", "long"];

/** What a space shows in which nobody has said anything yet. */
export function EmptySpace({ space, visitorId }: { space: DemoSpace; visitorId: string }) {
  const { data, utterances, createIntention } = useSpaceData(space.id);
  if (!data || utterances.length > 0) return null;
  return (
    <section className="empty" aria-label="Nothing has been said here yet">
      <h2>Nobody has said anything yet</h2>
      <p>Say something: {BOT.name} answers. Or write a row with SQL, and see it here at its commit.</p>
      <div className="empty-openers">
        {OPENERS.map((text) => (
          <button
            key={text}
            type="button"
            onClick={() => void createIntention({ ownerId: visitorId, content: [text] })}
          >
            {text}
          </button>
        ))}
      </div>
    </section>
  );
}
