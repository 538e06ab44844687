import { startResponder } from "./responder.js";
import { SPACES } from "./spaces.js";

/** The demo's bot, at work in all of the demo's spaces. */
export interface Bot {
  /** Stops answering, at once. What was growing stays as it is; the next start marks it as failed. */
  close(): Promise<void>;
}

/**
 * Makes the demo's spaces, and answers what is said in them. It is a client like any other: it knows of the relay
 * nothing but its URL. What goes wrong later is told to `onError`, and nothing is thrown.
 */
export async function startBot(url: string, onError: (error: unknown) => void = () => {}): Promise<Bot> {
  const opened = await Promise.allSettled(SPACES.map((space) => startResponder(url, space, onError)));
  const responders = opened.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const close = async () => {
    for (const responder of responders) responder.close();
  };
  const failed = opened.find((one) => one.status === "rejected");
  if (failed) {
    await close();
    throw failed.reason;
  }
  return { close };
}
