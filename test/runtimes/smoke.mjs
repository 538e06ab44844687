// smoke.mjs URL SPACE, by any runtime: the built client sees what others write, writes, and ends with its process.
import { createSpaceClient, persistIn, readSpace, SpacefeedError } from "../../dist/client/index.js";

const [url, spaceId] = process.argv.slice(2);
const until = async (client, condition) => {
  while (!condition(client.getSnapshot())) {
    await new Promise((resolve) => {
      const stop = client.subscribe(() => resolve(stop()));
    });
  }
};
const said = (text) => (snapshot) => snapshot.utterances.some(({ content }) => content[0] === text);

const kept = new Map();
const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
const initialState = await readSpace({ url, spaceId });
const writer = createSpaceClient({ url, spaceId });
const reader = createSpaceClient({ url, spaceId, initialState, persist: persistIn(storage) });
const first = reader.getSnapshot().utterances.map(({ content }) => content[0]);
await until(reader, ({ connected }) => connected);
const { id } = await writer.createIntention({ content: ["one"] });
await until(reader, said("one"));
await writer.updateIntention(id, { content: ["one, and more"] });
await until(reader, said("one, and more"));
await reader.deleteIntention(id);
await until(writer, ({ utterances }) => utterances.every((message) => message.id !== id));
const refusal = await writer.updateIntention(id, { state: "failed" }).catch((error) => error);
writer.close();
reader.close();
const runtime = ["Bun", "Deno"].find((name) => name in globalThis) ?? `Node ${process.version.slice(1, 3)}`;
console.log(
  JSON.stringify({
    runtime,
    first,
    refused: refusal instanceof SpacefeedError && refusal.code,
    kept: kept.size > 0,
  }),
);
