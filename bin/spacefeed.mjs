#!/usr/bin/env node
import { run } from "../dist/server/cli/program.js";

// Put together here: the server may not import the demo, which is a client like any other.
await run(process.argv.length > 2 ? process.argv : [...process.argv, "serve"], {
  startDemo: async (url, onError, ownDatabase) => {
    if (ownDatabase) await (await import("./tracker.mjs")).makeTracker(ownDatabase);
    return (await import("../dist/demo/bot.js")).startBot(url, onError);
  },
});
