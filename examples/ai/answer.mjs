import { setTimeout as sleep } from "node:timers/promises";
import { streamText } from "ai";

/** What the model has said meanwhile is one update. */
const EVERY_MS = 50;

/**
 * Streams what a model says into a message of the room. Resolves with the state that the message has at the end: `complete`,
 * `failed`, or what a reader has made of it. It writes the state alone, and the content alone: so it undoes nobody's stop.
 */
export async function answer(client, { id, ownerId, ...question }) {
  const stop = new AbortController();
  const look = (message) => {
    if (message && message.state !== "active") stop.abort();
  };
  await client.createIntention({ id, ownerId, state: "active", content: [""] });
  const unsubscribe = client.subscribe(() => look(client.getIntention(id)));
  let [text, written, isDone, failure] = ["", "", false];
  try {
    const onError = ({ error }) => {
      failure = error;
    };
    const { textStream } = streamText({ ...question, abortSignal: stop.signal, onError });
    const read = async () => {
      for await (const piece of textStream) text += piece;
    };
    const reading = read().finally(() => {
      isDone = true;
    });
    while ((!isDone || text !== written) && !stop.signal.aborted) {
      await Promise.race([reading, sleep(EVERY_MS)]);
      if (text === written || stop.signal.aborted) continue;
      written = text;
      look(await client.updateIntention(id, { content: [written] })); // the answer tells the state that it has there
    }
    if (stop.signal.aborted) return client.getIntention(id)?.state ?? "deleted";
    unsubscribe(); // the end is no stop
    const state = failure ? "failed" : "complete";
    await client.updateIntention(id, { state });
    if (failure) console.error("the model:", failure);
    return state;
  } finally {
    unsubscribe();
    if (!isDone) stop.abort();
  }
}
