import { createSpaceClient, type Intention, type SpaceClient, SpacefeedError } from "../client/index.js";
import { answer } from "./answer.js";
import { grow } from "./growth.js";
import { BOT, type DemoSpace } from "./spaces.js";

/** Answers that grow at one time in one space. What is said meanwhile is answered together. */
const MOST_ANSWERS = 3;
/** A client keeps what it has seen. With more messages than this the bot takes a new one: it may sit here for years. */
const MOST_MESSAGES = 1_000;

/** The bot at work in one space. */
export interface Responder {
  close(): void;
}

/** Makes the space and the bot in it, clears away what was left growing, and answers what is said from now on. */
export async function startResponder(
  url: string,
  space: DemoSpace,
  onError: (error: unknown) => void,
  mostMessages = MOST_MESSAGES,
): Promise<Responder> {
  // No other client of this process has the same space: there is nobody to share a stream with.
  const open = () => createSpaceClient({ url, spaceId: space.id, tabs: false });
  let client = open();
  const botId = BOT.idIn(space.id);
  try {
    await unlessTaken(client.createBeing({ id: space.id, type: "space", name: space.name }));
    await unlessTaken(client.createBeing({ id: botId, type: "bot", name: BOT.name }));
    await firstState(client);
  } catch (error) {
    client.close();
    throw error;
  }
  const { intentions } = client.getSnapshot();
  for (const { id, ownerId, state } of intentions) {
    if (ownerId === botId && state === "active") {
      client.updateIntention(id, { state: "failed" }).catch(unlessGone(onError));
    }
  }

  const closing = new AbortController();
  const seen = new Set(intentions.map(({ id }) => id));
  // What is older comes to light when some of these are deleted. It is not new for that.
  const start = intentions[0]?.createdAt ?? "";
  let waiting: Intention[] = [];
  let growing = 0;
  let turn = 0;

  const look = () => {
    const fresh = client
      .getSnapshot()
      .utterances.filter((each) => !seen.has(each.id) && isSaid(client, each));
    for (const { id } of fresh) seen.add(id);
    waiting.push(...fresh.filter(({ createdAt }) => createdAt >= start));
    next();
    if (growing > 0 || client.getSnapshot().intentions.length <= mostMessages) return;
    client.close();
    client = open();
    follow();
  };
  const next = () => {
    if (waiting.length === 0 || growing >= MOST_ANSWERS || closing.signal.aborted) return;
    const messages = waiting;
    waiting = [];
    growing += 1;
    const text = answer({ messages, snapshot: client.getSnapshot(), turn: turn++, now: Date.now() });
    grow(client, { id: `${botId}-re-${messages.at(-1)?.messageId}`, ownerId: botId, text }, closing.signal)
      .catch((error) => closing.signal.aborted || unlessGone(onError)(error))
      .finally(() => {
        growing -= 1;
        next();
      });
  };
  const follow = () =>
    client.subscribe(() => {
      try {
        look();
      } catch (error) {
        onError(error);
      }
    });
  follow();
  const close = () => {
    closing.abort();
    client.close();
  };
  return { close };
}

/** Whether a message is whole, stored, and of somebody who gets an answer. Bots get none: it would never end. */
function isSaid(client: SpaceClient, { id, state, ownerId }: Intention): boolean {
  const isBot = ownerId !== null && client.getBeing(ownerId)?.type === "bot";
  return state === "complete" && !isBot && !client.getSnapshot().pendingIds.has(id);
}

/** Resolves when the client knows the space. */
async function firstState(client: SpaceClient): Promise<void> {
  await client.refresh();
  if (client.getSnapshot().data) return;
  await new Promise<void>((resolve) => {
    const unsubscribe = client.subscribe(() => {
      if (!client.getSnapshot().data) return;
      unsubscribe();
      resolve();
    });
  });
}

/** Somebody has given it another name since: that is the one it has. */
async function unlessTaken(created: Promise<unknown>): Promise<void> {
  await created.catch((error) => {
    if (!(error instanceof SpacefeedError && error.code === "conflict")) throw error;
  });
}

/** A message may be deleted meanwhile, or be answered by another bot. */
function unlessGone(onError: (error: unknown) => void): (error: unknown) => void {
  return (error) => {
    const isGone = error instanceof SpacefeedError && ["not_found", "conflict"].includes(error.code);
    if (!isGone) onError(error);
  };
}
