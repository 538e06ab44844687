// Clients that count what they get, in a process of their own.

import { answer } from "./calls.mjs";
import { Follower } from "./follower.mjs";

let followers = [];
let look = () => {};

answer({
  /** `count` clients, spread over the addresses. */
  open: async ({ urls, count }) => {
    followers = Array.from({ length: count }, (_, n) => {
      const first = n % urls.length;
      return new Follower([...urls.slice(first), ...urls.slice(0, first)], () => look());
    });
    await Promise.all(followers.map((follower) => follower.open()));
  },
  /** Resolves when all have had the messages below this number, or after some time. */
  until: ({ number, ms }) =>
    new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        look = () => {};
        resolve();
      };
      const timer = setTimeout(finish, ms);
      look = () => followers.every(({ next }) => next >= number) && finish();
      look();
    }),
  report: ({ number }) => {
    const sum = (of) => followers.reduce((total, follower) => total + of(follower), 0);
    const delivered = {};
    for (const follower of followers) {
      for (const [url, count] of follower.delivered) delivered[url] = (delivered[url] ?? 0) + count;
    }
    return {
      // What did not come at all is lost, too.
      lost: sum(({ lost, next }) => lost + Math.max(0, number - next)),
      older: sum(({ older }) => older),
      awayMs: Math.max(0, ...followers.map(({ awayMs }) => awayMs)),
      doubled: sum(({ doubled }) => doubled),
      reconnects: sum(({ reconnects }) => reconnects),
      snapshots: sum(({ snapshots }) => snapshots) - followers.length,
      delivered,
    };
  },
  close: () => {
    for (const follower of followers) follower.close();
    followers = [];
  },
});
