// A script of a user, for Node or a page: says one thing, and tells what the client shows then.
import { createSpaceClient } from "spacefeed";
import type { Intention } from "spacefeed/protocol";

export async function say(url: string, spaceId: string, text: string): Promise<Intention> {
  const client = createSpaceClient({ url, spaceId });
  try {
    const said: Intention = await client.createIntention({ content: [text] });
    await client.refresh();
    const shown = client.getSnapshot().utterances.find(({ id }) => id === said.id);
    if (!shown) throw new Error("said, and not shown");
    return shown;
  } finally {
    client.close();
  }
}
