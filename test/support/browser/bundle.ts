import { fileURLToPath } from "node:url";
import { build, type InlineConfig } from "vite";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const bundles = new Map<string, Promise<string>>();

/** What the page of another framework than React is built with. */
export type Build = Pick<InlineConfig, "plugins" | "resolve">;

/** A page's entry (.ts or .tsx) and all that it imports, as one JavaScript module. Built once a test file. */
export function bundle(entry: URL, more?: Build): Promise<string> {
  const found = bundles.get(entry.href);
  if (found) return found;
  const made = make(fileURLToPath(entry), more);
  bundles.set(entry.href, made);
  return made;
}

async function make(input: string, more?: Build): Promise<string> {
  const result = await build({
    ...more,
    configFile: false,
    envDir: false,
    root: ROOT,
    logLevel: "warn",
    publicDir: false,
    // React's own warnings are wanted: the browser's console is part of the test.
    define: { "process.env.NODE_ENV": '"development"' },
    build: {
      write: false,
      minify: false,
      sourcemap: "inline",
      target: "es2023",
      modulePreload: false,
      rolldownOptions: {
        input,
        output: { codeSplitting: false },
        // "use client" is for others than a page.
        onwarn: (warning, warn) => warning.code === "MODULE_LEVEL_DIRECTIVE" || warn(warning),
      },
    },
  });
  const outputs = Array.isArray(result) ? result : [result];
  const chunks = outputs.flatMap((one) => ("output" in one ? one.output : []));
  const [script] = chunks.filter((chunk) => chunk.type === "chunk");
  if (!script) throw new Error(`nothing was made of ${input}`);
  return script.code;
}
