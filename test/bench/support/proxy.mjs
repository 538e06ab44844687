import { once } from "node:events";
import { connect, createServer } from "node:net";

/** Stands between a client and a relay, and fails as networks do. */
export async function startProxy(relayUrl) {
  const { hostname, port } = new URL(relayUrl);
  const sockets = new Set();
  let isOpen = true;

  const server = createServer((client) => {
    const relay = connect(Number(port), hostname);
    for (const [from, to] of [
      [client, relay],
      [relay, client],
    ]) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on("data", (bytes) => isOpen && to.write(bytes));
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        // An end is a packet, too.
        if (isOpen) to.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");

  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    /** Ends every connection, and refuses new ones. */
    cut: () => {
      server.close();
      cut();
    },
    /** From now on nothing passes, and nobody is told. */
    swallow: () => {
      isOpen = false;
    },
    /** From now on it takes nothing from either side, as a peer that is gone without a word. */
    freeze: () => {
      for (const socket of sockets) socket.pause();
    },
    close: () => {
      server.close();
      cut();
    },
  };
}
