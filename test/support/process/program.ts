import { createSpaceClient } from "../../../src/client/index.js";

/** A program of its own that has a client: the test puts its work in, and sees whether it ends by itself. */
const [url = "", spaceId = ""] = process.argv.slice(2);
const responses = new Set<AbortController>();

const cuttable: typeof fetch = (address, init = {}) => {
  const controller = new AbortController();
  responses.add(controller);
  const signals = init.signal ? [init.signal, controller.signal] : [controller.signal];
  return globalThis.fetch(address, { ...init, signal: AbortSignal.any(signals) });
};
const client = createSpaceClient({ url, spaceId, tabs: false, fetch: cuttable });

const tools = {
  client,
  /** The lines break, as with a network that goes away. */
  cut: () => {
    for (const controller of responses) controller.abort(new TypeError("cut"));
  },
  until: async (condition: () => boolean) => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
  },
};
Object.assign(globalThis, tools);

// Replaced by the test, as text.
const work: unknown = "WORK";
await (work as () => Promise<void>)();
process.stdout.write("closed\n");
