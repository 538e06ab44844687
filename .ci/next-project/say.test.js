// With Jest as it is: no transform of what is installed, CommonJS, no settings.
const { createElement } = require("react");
const { renderToString } = require("react-dom/server");
const { createSpaceClient, getCachedIntention } = require("spacefeed");
const { Chat } = require("spacefeed/react");
const { intention } = require("spacefeed/protocol");

test("a message is said, and shown", async () => {
  const client = createSpaceClient({ url: process.env.RELAY_URL, spaceId: "hall" });
  const said = await client.createIntention({ content: ["Hello from Jest"] });
  await client.refresh();
  expect(client.getSnapshot().utterances).toContainEqual(said);
  expect(getCachedIntention(said.id)).toEqual(said);
  expect(intention.parse(said)).toEqual(said);
  client.close();
});

test("a chat is rendered", () => {
  expect(renderToString(createElement(Chat, { spaceId: "hall" }))).toContain("Waiting for the conversation");
});
