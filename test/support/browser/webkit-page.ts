/** Asks WebKit's driver: `POST /session/…`. */
export type WebDriver = (method: "GET" | "POST" | "DELETE", path: string, body?: unknown) => Promise<unknown>;

const BROWSER = {
  args: ["--automation"],
  ...(process.env.WEBKIT_PATH && { binary: process.env.WEBKIT_PATH }),
};

/** One page of WebKit, as far as tests use it. */
export class WebKitPage {
  readonly #ask: WebDriver;
  readonly #session: string;

  private constructor(ask: WebDriver, session: string) {
    [this.#ask, this.#session] = [ask, `/session/${session}`];
  }

  /** In a browser of its own. */
  static async open(ask: WebDriver): Promise<WebKitPage> {
    const capabilities = { alwaysMatch: { "webkitgtk:browserOptions": BROWSER } };
    const { sessionId } = (await ask("POST", "/session", { capabilities })) as { sessionId: string };
    return new WebKitPage(ask, sessionId);
  }

  async goto(url: string): Promise<void> {
    await this.#post("/url", { url });
  }

  /** What a function of the page returns; it may be async. It is sent as text, so that it knows its arguments only. */
  async evaluate<A extends unknown[], R>(work: (...args: A) => R, ...args: A): Promise<Awaited<R>> {
    const script = `const done = arguments[arguments.length - 1];
      Promise.resolve((${work})(...[...arguments].slice(0, -1)))
        .then((value) => done({ value }), (error) => done({ error: String(error?.stack ?? error) }));`;
    const answer = await this.#post("/execute/async", { script, args });
    const { value, error } = answer as { value: Awaited<R>; error?: string };
    if (error) throw new Error(error);
    return value;
  }

  /** Turns the wheel over the middle of an element. */
  async wheel(selector: string, pixels: number): Promise<void> {
    const origin = await this.#post("/element", { using: "css selector", value: selector });
    const turn = { type: "scroll", x: 0, y: 0, deltaX: 0, deltaY: pixels, origin };
    await this.#post("/actions", { actions: [{ type: "wheel", id: "wheel", actions: [turn] }] });
  }

  /** Presses keys on the element that has the focus, as WebDriver names them: "\uE00E" is Page Up. */
  async press(keys: string): Promise<void> {
    const presses = [...keys].flatMap((value) => ["keyDown", "keyUp"].map((type) => ({ type, value })));
    await this.#post("/actions", { actions: [{ type: "key", id: "keys", actions: presses }] });
  }

  async close(): Promise<void> {
    await this.#ask("DELETE", this.#session);
  }

  #post(path: string, body: unknown): Promise<unknown> {
    return this.#ask("POST", this.#session + path, body);
  }
}
