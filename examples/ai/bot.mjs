// node examples/ai/bot.mjs http://127.0.0.1:8787 lobby: answers the newest message of a room with what a model says.
// In a project of yours: npm install spacefeed ai, and import { createSpaceClient } from "spacefeed".
import { createSpaceClient } from "../../dist/client/index.js";
import { answer } from "./answer.mjs";
import { model } from "./model.mjs";

const [url = "http://127.0.0.1:8787", spaceId = "lobby"] = process.argv.slice(2);
const ownerId = `ai-${spaceId}`;
const client = createSpaceClient({ url, spaceId, tabs: false });

/** Resolves at the next change of the room. */
const change = () =>
  new Promise((resolve) => {
    const unsubscribe = client.subscribe(() => {
      unsubscribe();
      resolve();
    });
  });
/** Somebody was faster: it is there already, or gone. Anything else ends the script. */
const unlessTaken = (error) => {
  if (!["conflict", "not_found"].includes(error.code)) throw error;
};

while (!client.getSnapshot().data) await change();
await client.createBeing({ id: ownerId, type: "bot", name: "Ada" }).catch(unlessTaken);
// What was growing when the script died grows no more: its readers see that.
for (const { id, state, ownerId: owner } of client.getSnapshot().intentions) {
  if (owner === ownerId && state === "active") await client.updateIntention(id, { state: "failed" });
}
console.log(`${ownerId} is there`);

const answered = new Set(); // also those that were deleted since
for (;;) {
  const { utterances } = client.getSnapshot();
  const isBot = (message) => message.ownerId !== null && client.getBeing(message.ownerId)?.type === "bot";
  const question = utterances.findLast((message) => message.state === "complete" && !isBot(message));
  // The question names its answer: no restart answers it twice, and no second script.
  const id = `${ownerId}-re-${question?.id}`;
  if (!question || answered.has(id) || client.getIntention(id)) {
    await change();
    continue;
  }
  answered.add(id);
  const messages = utterances.map((message) => ({
    role: message.ownerId === ownerId ? "assistant" : "user",
    content: message.content.join("\n"),
  }));
  const state = await answer(client, { id, ownerId, model, messages }).catch(unlessTaken);
  console.log(`${id}: ${state ?? "taken"}`);
}
