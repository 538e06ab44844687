import { fileURLToPath } from "node:url";
import { build } from "vite";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** A file of dist, for an import in an entry's text. */
export const dist = (path) =>
  JSON.stringify(fileURLToPath(new URL(`../../../dist/${path}`, import.meta.url)));

/** The chunks that a page's own build would make of an entry's text, in memory. */
export async function bundle(entry, external = []) {
  const { output } = await build({
    configFile: false,
    envDir: false,
    root: ROOT,
    logLevel: "warn",
    publicDir: false,
    define: { "process.env.NODE_ENV": '"production"' },
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === "entry" ? "\0entry" : undefined),
        load: (id) => (id === "\0entry" ? entry : undefined),
      },
    ],
    build: {
      write: false,
      target: "es2022",
      modulePreload: false,
      rolldownOptions: {
        input: "entry",
        external,
        preserveEntrySignatures: "strict",
        // "use client" is for others than a page.
        onwarn: (warning, warn) => warning.code === "MODULE_LEVEL_DIRECTIVE" || warn(warning),
      },
    },
  });
  return output.filter((chunk) => chunk.type === "chunk");
}
