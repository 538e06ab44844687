// Three clients that take too little, in a process of their own: `trickle` reads 1 KB a second, `stopped` nothing,
// and `cut off` is behind a proxy that freezes. All read again in the end.

import { setTimeout as delay } from "node:timers/promises";
import { startProxy } from "../support/proxy.mjs";
import { answer } from "./calls.mjs";
import { Follower } from "./follower.mjs";
import { startTrickle } from "./trickle.mjs";

const readers = [];
let proxy;
let trickle;
let stopped;
let address;

answer({
  open: async ({ url, path }) => {
    proxy = await startProxy(url);
    trickle = await startTrickle(url);
    address = url + path;
    const urls = { trickle: trickle.url + path, stopped: address, "cut off": proxy.url + path };
    for (const [name, url] of Object.entries(urls)) {
      const follower = new Follower([url]);
      const response = await follower.open();
      if (name === "stopped") stopped = response;
      readers.push({ name, follower });
    }
  },
  /** From now on they are slow. */
  slow: () => {
    proxy.freeze();
    trickle.setSlow(true);
    stopped.pause();
  },
  /** They read again, and stay until they have the cursor; resolves to what they know then. */
  recover: async ({ cursor, ms }) => {
    trickle.setSlow(false);
    stopped.resume();
    for (const { name, follower } of readers) if (name === "cut off") follower.giveUp([address]);
    const deadline = performance.now() + ms;
    while (readers.some(({ follower }) => follower.cursor !== cursor) && performance.now() < deadline) {
      await delay(20);
    }
    return readers.map(({ name, follower }) => {
      const { reconnects, snapshots, messages } = follower;
      return { name, reconnects, snapshots, cursor: follower.cursor, messages: [...messages.values()] };
    });
  },
  close: () => {
    for (const { follower } of readers) follower.close();
    proxy.close();
    trickle.close();
  },
});
