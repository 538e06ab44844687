// Three clients that take too little, in a process of their own: `trickle` reads 1 KB a second, `stopped` nothing,
// and `cut off` is behind a proxy that freezes. All read again in the end.

import { startProxy } from "../support/proxy.mjs";
import { answer } from "./calls.mjs";
import { Follower } from "./follower.mjs";

const TRICKLE_BYTES = 1_024;
const TRICKLE_MS = 1_000;

let readers = [];
let proxy;
let trickle;
let address;

answer({
  open: async ({ url, path }) => {
    proxy = await startProxy(url);
    address = url + path;
    readers = ["trickle", "stopped", "cut off"].map((name) => {
      const follower = new Follower([(name === "cut off" ? proxy.url : url) + path]);
      return { name, follower };
    });
    for (const reader of readers) reader.response = await reader.follower.open();
  },
  /** From now on they are slow. */
  slow: () => {
    proxy.freeze();
    for (const { name, response } of readers) if (name !== "cut off") response.pause();
    const [{ response }] = readers;
    // What is read by hand is emitted as "data", too: the follower gets it.
    trickle = setInterval(() => response.read(TRICKLE_BYTES) ?? response.read(), TRICKLE_MS);
  },
  /** They read again, and stay until they have the cursor; resolves to what they know then. */
  recover: async ({ cursor, ms }) => {
    clearInterval(trickle);
    for (const { name, follower, response } of readers) {
      if (name === "cut off") follower.giveUp([address]);
      else response.resume();
    }
    const deadline = performance.now() + ms;
    while (readers.some(({ follower }) => follower.cursor !== cursor) && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return readers.map(({ name, follower }) => {
      const { reconnects, snapshots, messages } = follower;
      return { name, reconnects, snapshots, cursor: follower.cursor, messages: [...messages.values()] };
    });
  },
  close: () => {
    for (const { follower } of readers) follower.close();
    proxy.close();
  },
});
