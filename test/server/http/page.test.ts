import { Hono } from "hono";
import { beforeAll, expect, test } from "vitest";
import { pageRoutes } from "../../../src/server/http/page.js";
import { useDatabase } from "../../support/postgres/database.js";
import { useCommand } from "../../support/process/command.js";
import { startTestRelay, useRelay } from "../../support/relay/relay.js";

const db = useDatabase();
useCommand(); // builds the page
const relay = useRelay(db, { demo: true });

let html = "";
beforeAll(async () => {
  html = await (await fetch(relay.current.url)).text();
});
const ask = (path: string, init?: RequestInit) => fetch(new URL(path, relay.current.url), init);
const assets = () =>
  [...html.matchAll(/(?:src|href)="\.?(\/assets\/[^"]+)"/g)].map(([, path]) => path as string);

test("the page is at /, and is asked for anew each time", async () => {
  const response = await ask("/");
  expect(response.status).toBe(200);
  expect(response.headers.get("Content-Type")).toMatch(/^text\/html/);
  expect(response.headers.get("Cache-Control")).toBe("no-cache");
  expect(response.headers.get("X-Content-Type-Options")).toBe("nosniff");
  expect(html).toMatch(/<title>Spacefeed<\/title>/);
  const head = await ask("/", { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  expect(head.headers.get("Content-Security-Policy")).toBe(response.headers.get("Content-Security-Policy"));
});

test("its policy allows scripts and styles from this relay alone, and none that are inline", async () => {
  const policy = (await ask("/")).headers.get("Content-Security-Policy") ?? "";
  const rules = new Map(
    policy.split("; ").map((rule) => [rule.slice(0, rule.indexOf(" ")), rule.slice(rule.indexOf(" ") + 1)]),
  );
  expect(rules.get("default-src")).toBe("'none'");
  for (const kind of ["script-src", "style-src", "connect-src"]) expect(rules.get(kind)).toBe("'self'");
  expect(rules.get("frame-ancestors")).toBe("'none'");
  expect(policy).not.toMatch(/unsafe|\*/);
  expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\bstyle=|https?:\/\//);
});

test("its assets are named by what is in them, and may be kept for ever", async () => {
  expect(assets().map((path) => path.split(".").at(-1))).toEqual(
    expect.arrayContaining(["js", "css", "svg"]),
  );
  for (const path of assets()) {
    expect(path).toMatch(/-[\w-]{8,}\.\w+$/);
    const response = await ask(path);
    expect(response.status).toBe(200);
    expect(response.headers.get("Cache-Control")).toMatch(/immutable/);
    expect(response.headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(response.headers.get("Content-Type")).toMatch(/javascript|css|svg/);
  }
});

test("assets are compressed for who can read that", async () => {
  const script = assets().find((path) => path.endsWith(".js")) as string;
  const packed = await ask(script, { headers: { "Accept-Encoding": "gzip" } });
  expect(packed.headers.get("Content-Encoding")).toBe("gzip");
  expect(packed.headers.get("Vary")).toMatch(/Accept-Encoding/i);
  const plain = await ask(script, { headers: { "Accept-Encoding": "identity" } });
  expect(plain.headers.get("Content-Encoding")).toBeNull();
  expect(await packed.text()).toBe(await plain.text());
});

test.each([
  "/assets/none.js",
  "/assets/",
  "/assets/..%2f..%2f..%2fpackage.json",
  "/assets/%2e%2e/%2e%2e/%2e%2e/package.json",
  "/index.html",
  "/lobby",
])("what is not there is 404 in the form of every error, and not kept: %s", async (path) => {
  const response = await ask(path);
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ success: false, code: "not_found" });
  expect(response.headers.get("Cache-Control") ?? "").not.toMatch(/immutable/);
});

test("of a database that is not the embedded one the page learns nothing", async () => {
  const response = await ask("/demo.json");
  expect(await response.json()).toEqual({ psql: null });
  expect(response.headers.get("Cache-Control")).toBe("no-store");
});

test("with DEMO=false there is no page: each of its paths is 404", async () => {
  const without = await startTestRelay(db, { demo: false });
  try {
    for (const path of ["/", "/demo.json", ...assets()]) {
      const response = await fetch(new URL(path, without.url));
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ success: false, code: "not_found" });
    }
  } finally {
    await without.close();
  }
});

test("a page that is not built says how to build it", async () => {
  const app = new Hono();
  app.route("/", pageRoutes({ psql: null }, "/nowhere"));
  app.onError((error, context) => context.text(error.message, 503));
  const response = await app.request("/");
  expect(response.status).toBe(503);
  expect(await response.text()).toMatch(/npm run build/);
});
