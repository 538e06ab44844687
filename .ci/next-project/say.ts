// A script of a user whose project is CommonJS.
import { createSpaceClient, SpacefeedError } from "spacefeed";
import type { Intention } from "spacefeed/protocol";
import { CHAT_LABELS, type ChatProps } from "spacefeed/react";

export const chat: ChatProps = { spaceId: "hall", labels: { ...CHAT_LABELS, send: "Say it" } };

export async function say(url: string, text: string): Promise<Intention> {
  const client = createSpaceClient({ url, spaceId: "hall" });
  try {
    return await client.createIntention({ content: [text] });
  } catch (error) {
    throw error instanceof SpacefeedError ? new Error(error.code) : error;
  } finally {
    client.close();
  }
}

/** The server is ESM only. */
export async function config(env: Record<string, string>) {
  const { readConfig } = await import("spacefeed-server");
  return readConfig(env);
}
