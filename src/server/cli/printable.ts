/** The same JSON, without what a terminal takes for a command: JSON itself escapes the controls below U+0020. */
export function printable(json: string): string {
  return json.replace(/[\u007f-\u009f]/g, (control) => `\\u00${control.charCodeAt(0).toString(16)}`);
}

/** The same text on one line, without what a terminal takes for a command. IDs and names are other people's. */
export function oneLine(text: string): string {
  return printable(
    JSON.stringify(text.replace(/\s+/g, " ").trim())
      .slice(1, -1)
      .replace(/\\(["\\])/g, "$1"),
  );
}
