// node our-client.mjs URL SPACE: our client, as the conformance tool starts it. Prints each state that it shows.
import { createSpaceClient } from "../../dist/client/index.js";

const [url, spaceId] = process.argv.slice(2);
const client = createSpaceClient({ url, spaceId, tabs: false });
const print = () => {
  const { data, beings, intentions } = client.getSnapshot();
  const entities = { task: client.getEntities("task") };
  if (data) console.log(JSON.stringify({ version: data.version, beings, intentions, entities }));
};
client.subscribe(print);
print();
