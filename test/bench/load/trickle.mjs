import { once } from "node:events";
import { connect, createServer } from "node:net";

const BYTES = 1_024;
const EVERY_MS = 1_000;

/** A proxy that, once it is slow, takes 1 KB a second from the server, and leaves the rest in the kernel's buffers. */
export async function startTrickle(serverUrl) {
  const { hostname, port } = new URL(serverUrl);
  const sockets = new Set();
  let isSlow = false;

  const proxy = createServer((client) => {
    const buffer = Buffer.alloc(BYTES);
    const callback = (length, bytes) => {
      client.write(Buffer.from(bytes.subarray(0, length)));
      if (isSlow) setTimeout(() => server.resume(), EVERY_MS);
      return !isSlow;
    };
    const server = connect({ host: hostname, port: Number(port), onread: { buffer, callback } });
    client.pipe(server);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ]) {
      sockets.add(socket);
      socket.on("error", () => {}); // "close" follows
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    url: `http://127.0.0.1:${proxy.address().port}`,
    setSlow: (value) => {
      isSlow = value;
    },
    close: () => {
      proxy.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
