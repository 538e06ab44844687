// Builds the demo page: `vite build src/demo`.
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Whoever builds it, and be it a test: a page for people has no use for React's development build.
process.env.NODE_ENV = "production";

const outDir = fileURLToPath(new URL("../../dist/demo-page", import.meta.url));

/** Removes what earlier builds have left, after the new files are there: a relay may be serving meanwhile. */
function sweep() {
  return {
    name: "sweep",
    writeBundle(_options, bundle) {
      const assets = join(outDir, "assets");
      for (const name of readdirSync(assets)) {
        if (!(`assets/${name}` in bundle)) rmSync(join(assets, name), { force: true });
      }
    },
  };
}

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  envDir: false,
  publicDir: false,
  plugins: [react(), sweep()],
  build: {
    outDir,
    rollupOptions: { input: ["index.html", "tracker.html"].map((page) => join(import.meta.dirname, page)) },
    emptyOutDir: false,
    // The content security policy allows no data: scripts or styles, and the icon is an asset like any other.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    // Colours for light and dark in one declaration are newer than the oldest browsers: the build takes them apart.
    cssTarget: ["chrome118", "firefox118", "safari17"],
  },
});
