import { get, type IncomingMessage } from "node:http";

// Every line that an SSE endpoint of ours may send: what the standard would ignore or guess is a fault here.
const LINE = /^(|id: [0-9a-f]{16}\.\d+|data: .*|event: heartbeat|retry: \d+)$/s;

/** The lines of a text that are none of ours; the JSON that is in it is handed on. */
export function brokenLines(text: string, hear: (data: string) => void = () => {}): string[] {
  // As the standard has it: a carriage return ends a line, too.
  const lines = text.split(/\r\n|\r|\n/);
  for (const line of lines) if (line.startsWith("data: ")) hear(line.slice(6));
  return lines.filter((line) => !LINE.test(line));
}

/** Reads an SSE endpoint for as long as it is open, line by line, with no parser but this. */
export class FuzzReader {
  readonly faults: string[] = [];
  frames = 0;
  /** The JSON of the last data line. */
  // biome-ignore lint/suspicious/noExplicitAny: the test looks into it
  last: any;
  #rest = "";
  #response: IncomingMessage | undefined;
  #isClosed = false;

  /** `check` says what is wrong with the JSON of a data line. */
  constructor(
    readonly url: URL,
    readonly check: (json: unknown) => string[],
  ) {
    get(url, { headers: { Accept: "text/event-stream" }, agent: false }, (response) => {
      this.#response = response;
      if (response.statusCode !== 200) this.faults.push(`refused with ${response.statusCode}`);
      response.setEncoding("utf8").on("data", (text: string) => this.#read(text));
      response.once("close", () => this.#isClosed || this.faults.push("the stream has ended"));
      response.on("error", () => {});
    }).on("error", (error) => this.#isClosed || this.faults.push(error.message));
  }

  close(): void {
    this.#isClosed = true;
    this.#response?.destroy();
  }

  #read(text: string): void {
    const whole = this.#rest + text;
    const end = whole.lastIndexOf("\n") + 1;
    this.#rest = whole.slice(end);
    const broken = brokenLines(whole.slice(0, end), (data) => {
      this.frames++;
      try {
        this.last = JSON.parse(data);
        this.faults.push(...this.check(this.last));
      } catch (error) {
        this.faults.push(`${error}: ${data.slice(0, 300)}`);
      }
    });
    this.faults.push(...broken.map((line) => `a line that is none: ${line.slice(0, 300)}`));
  }
}
