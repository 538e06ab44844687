import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { useRunning } from "../process/running.js";
import { type Build, bundle } from "./bundle.js";

export interface SiteOptions {
  /** The page's script: `new URL("./pages/some.ts", import.meta.url)`. It finds an empty `<div id="root">`. */
  entry: URL;
  /** Where `/api/*` leads to. Without it a page must know its relay: by `?relay=`, with CORS. */
  relay?: { readonly current: { url: string } };
  /** Of the page, such as a content security policy. */
  headers?: Record<string, string>;
  build?: Build;
}

/** A page and, below `/api`, a relay: one origin, as behind the reverse proxy of a real deployment. */
export interface Site {
  /** Without a slash at its end. A secure context: locks, IndexedDB and channels are there. */
  readonly url: string;
  /** May be changed: from the next request on. */
  relayUrl: string | undefined;
  close(): Promise<void>;
}

const HTML = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Spacefeed test</title>
<link rel="icon" href="data:,">
<div id="root"></div>
<script type="module" src="/page.js"></script>
`;

/** One site for a test file, up from before its tests until after them. */
export function useSite(options: SiteOptions): { readonly current: Site } {
  return useRunning(
    () => startSite(options),
    (site) => site.close(),
  );
}

/** A site on a free port. The caller closes it. */
export async function startSite({ entry, relay, headers, build }: SiteOptions): Promise<Site> {
  const script = await bundle(entry, build);
  const send = (response: ServerResponse, type: string, body: string) =>
    response.writeHead(200, { "Content-Type": `${type}; charset=utf-8`, ...headers }).end(body);

  const server = createServer((incoming, response) => {
    const path = new URL(incoming.url ?? "/", "http://site").pathname;
    const relayUrl = site.relayUrl ?? relay?.current.url;
    if (path.startsWith("/api/")) forward(incoming, response, relayUrl);
    else if (path === "/page.js") send(response, "text/javascript", script);
    else send(response, "text/html", HTML);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");

  const site: Site = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    relayUrl: undefined,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
  return site;
}

/** Unbuffered, and each side goes when the other does. A relay that is away is a 502, as with any proxy. */
function forward(incoming: IncomingMessage, response: ServerResponse, relayUrl: string | undefined): void {
  if (!relayUrl) {
    response.writeHead(502).end();
    return;
  }
  const upstream = request(new URL(incoming.url ?? "/", relayUrl), {
    method: incoming.method ?? "GET",
    // The Host is the site's: the relay compares it with the Origin of a page that writes.
    headers: { ...incoming.headers, connection: "close" },
    agent: false,
  });
  upstream.on("response", (answer) => {
    const { connection: _, ...headers } = answer.headers;
    response.writeHead(answer.statusCode ?? 502, headers);
    response.flushHeaders();
    answer.pipe(response);
    answer.on("error", () => response.destroy());
  });
  upstream.on("error", () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end();
  });
  response.on("close", () => upstream.destroy());
  incoming.pipe(upstream);
}
