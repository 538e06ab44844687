/**
 * Reads Server-Sent Events from texts that may be cut anywhere. Lines end with LF, CR LF or CR. Of the fields those are
 * of use that say which event it is, and its data.
 */
export function readEvents(take: (event: string, data: string) => void): (text: string) => void {
  let rest = "";
  let isAfterCr = false;
  let event = "message";
  let data: string[] = [];
  const read = (line: string) => {
    if (line === "") {
      if (data.length > 0) take(event, data.join("\n"));
      event = "message";
      data = [];
      return;
    }
    const [, field, value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === "data") data.push(value);
    if (field === "event") event = value || "message";
  };
  return (text) => {
    if (text === "") return;
    const lines = (isAfterCr ? text.replace(/^\n/, "") : text).split(/\r\n?|\n/);
    isAfterCr = text.endsWith("\r");
    lines[0] = rest + lines[0];
    rest = lines.pop() as string;
    lines.forEach(read);
  };
}
