import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { compress } from "hono/compress";
import { SpacefeedError } from "../../protocol/errors.js";

/** What `vite build src/demo` makes. As far from this file in `src` as it is in `dist`. */
const BUILT = fileURLToPath(new URL("../../../dist/demo-page/", import.meta.url));

/** Nothing from elsewhere, nothing inline: what somebody writes into a space can never become a script. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** What the demo page is told of the relay that serves it. */
export interface PageFacts {
  /** How to get into the database with `psql`; null when it is not for everybody who sees the page. */
  psql: string | null;
}

/** `GET /` and `/tracker` (the demo's pages), their assets, and `/demo.json`. */
export function pageRoutes(facts: PageFacts, built = BUILT): Hono {
  const app = new Hono();

  app.get("/demo.json", (context) => {
    context.header("Cache-Control", "no-store");
    return context.json(facts);
  });

  const pages = ["/", "/tracker"] as const;
  if (!existsSync(`${built}/index.html`)) {
    app.on("GET", [...pages], () => {
      throw new SpacefeedError("unavailable", "the demo page is not built yet: `npm run build` makes it");
    });
    return app;
  }

  const serve = serveStatic({ root: built });
  app.on("GET", [...pages], async (context, next) => {
    await next();
    context.header("Content-Security-Policy", POLICY);
    // It names the assets of its build.
    context.header("Cache-Control", "no-cache");
  });
  app.get("/", serve);
  app.get("/tracker", serveStatic({ root: built, path: "tracker.html" }));

  app.get("/assets/*", compress(), async (context, next) => {
    await next();
    // Their names have a hash of what is in them.
    if (context.res.ok) context.header("Cache-Control", "public, max-age=31536000, immutable");
  });
  app.get("/assets/*", serve);
  return app;
}
