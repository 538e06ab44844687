import { once } from "node:events";
import { createServer } from "node:net";

/**
 * A port that nobody listens on now, for a server that must come back to the same one: below those that the
 * system gives to outgoing connections, one of which could have it when the server is away.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await Promise.race([
      once(server, "listening").then(() => true),
      once(server, "error").then(() => false),
    ]).catch(() => false);
    server.close();
    if (isFree) return port;
  }
}
