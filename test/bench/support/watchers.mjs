// Clients that look at their own `mode`: one in this process, one in a browser.

import { once } from "node:events";
import { accessSync } from "node:fs";
import { createServer } from "node:http";
import { chromium } from "playwright-core";
import { createSpaceClient } from "../../../dist/client/index.js";
import { bundle, dist } from "./bundle.mjs";

const PAGE = `import { createSpaceClient } from ${dist("client/index.js")};
  Object.assign(globalThis, { createSpaceClient, watch: ${watch} });`;
const CHROMIUM = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";

/** Milliseconds of the clock that this process and a page have in common. */
export const now = () => performance.timeOrigin + performance.now();

/**
 * Opens a client, and resolves when it is in realtime, to a function that says when it has left that.
 * It runs in a page, too: it may use nothing but its parameters.
 */
async function watch(createSpaceClient, url, spaceId, patienceMs) {
  const client = createSpaceClient({ url, spaceId, tabs: false });
  const until = (condition) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`still ${client.getSnapshot().mode}`)), patienceMs);
      const look = () => {
        if (!condition(client.getSnapshot().mode)) return;
        clearTimeout(timer);
        resolve(performance.timeOrigin + performance.now());
      };
      client.subscribe(look);
      look();
    });
  await until((mode) => mode === "realtime");
  const left = until((mode) => mode !== "realtime");
  return () => left.finally(() => client.close());
}

export const nodeWatcher = {
  name: "Node",
  open: (url, spaceId, patienceMs) => watch(createSpaceClient, url, spaceId, patienceMs),
  close: () => {},
};

/** Undefined when there is no Chromium here. */
export async function startChromiumWatcher() {
  try {
    accessSync(CHROMIUM);
  } catch {
    return undefined;
  }
  const [{ code }] = await bundle(PAGE);
  const script = code.replaceAll("</script", "<\\/script");
  // A page has to come from somewhere; the relay allows all origins.
  const site = createServer((_request, response) => {
    response.writeHead(200, { "Content-Type": "text/html" }).end(`<script type="module">${script}</script>`);
  }).listen(0, "127.0.0.1");
  await once(site, "listening");
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--disable-gpu"] });
  return {
    name: "Chromium",
    open: async (url, spaceId, patienceMs) => {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${site.address().port}`);
      const parameters = [url, spaceId, patienceMs];
      await page.evaluate(async (all) => {
        globalThis.left = await globalThis.watch(globalThis.createSpaceClient, ...all);
      }, parameters);
      return () => page.evaluate(() => globalThis.left()).finally(() => page.close());
    },
    close: async () => {
      await browser.close();
      site.close();
      site.closeAllConnections();
    },
  };
}
