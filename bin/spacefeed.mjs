#!/usr/bin/env node
import { run } from "../dist/server/cli.js";

// Put together here: the server may not import the demo, which is a client like any other.
await run(process.argv, {
  startDemo: async (url, onError) => (await import("../dist/demo/bot.js")).startBot(url, onError),
});
