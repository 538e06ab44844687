import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const inDocs = readdirSync(`${ROOT}docs`).filter((name) => name.endsWith(".md"));
export const PAGES = ["README.md", "SECURITY.md", ...inDocs.map((name) => `docs/${name}`)];

/** A piece of code in a page. */
export interface Block {
  page: string;
  line: number;
  kind: "fenced" | "indented" | "inline";
  /** What a fence says, such as `sql`. */
  language: string;
  text: string;
}

const SHELL = /^(\w+=\S+ )*(npm|npx|node|spacefeed|psql|pg_dump|curl|bash|apt-get|docker) /;
const SQL = /^(select|insert|update|alter|create|grant|revoke|drop) /;
/** In this order: what one has found is blank to the next. */
const KINDS = {
  fenced: /^```(?<language>\w*)\n(?<code>.*?)^```$/gms,
  indented: /(?<=\n\n)(?<code>(?: {4,}\S[^\n]*\n|\n(?= {4}))+)/g,
  inline: /`(?<code>[^`]+)`/g,
};

export function read(page: string): string {
  return readFileSync(ROOT + page, "utf8");
}

/** The blocks of a page, and of its inline code what is a command. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  let rest = read(page);
  for (const [kind, pattern] of Object.entries(KINDS) as [Block["kind"], RegExp][]) {
    for (const { index, groups } of rest.matchAll(pattern)) {
      const { language = "", code = "" } = groups ?? {};
      const text = kind === "inline" ? code.replace(/\s+/g, " ") : code.replace(/^ {4,6}/gm, "");
      if (kind === "inline" && !SHELL.test(text) && !SQL.test(text)) continue;
      blocks.push({ page, line: rest.slice(0, index).split("\n").length, kind, language, text });
    }
    rest = rest.replace(pattern, (code) => code.replace(/[^\n]/g, " "));
  }
  return blocks;
}

/** The commands of a block: of SQL the whole block, of shell each line, without its comment. */
export function commandsOf({ language, text }: Block): { kind: "shell" | "sql"; code: string }[] {
  if (language === "sql" || SQL.test(text)) return [{ kind: "sql", code: text.trim() }];
  const lines = text.split("\n").filter((line) => SHELL.test(line));
  return lines.map((line) => ({ kind: "shell", code: line.replace(/ {2,}#.*/, "").trim() }));
}
