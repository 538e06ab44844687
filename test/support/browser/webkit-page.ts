import type { Key, Tab } from "./tab.js";

/** Asks WebKit's driver: `POST /session/…`. */
export type WebDriver = (method: "GET" | "POST" | "DELETE", path: string, body?: unknown) => Promise<unknown>;

const BROWSER = {
  args: ["--automation"],
  ...(process.env.WEBKIT_PATH && { binary: process.env.WEBKIT_PATH }),
};
/** As WebDriver names them. */
const KEYS: Record<Key, string> = {
  Tab: "\uE004",
  Enter: "\uE007",
  Escape: "\uE00C",
  PageUp: "\uE00E",
  ArrowRight: "\uE014",
};

/** A browser, of whose tabs the driver looks at one at a time. */
class Session {
  #tab = "";
  /** One request after the other: who has changed the tab has it until the answer is there. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    readonly driver: WebDriver,
    readonly path: string,
  ) {}

  ask(tab: string, method: "GET" | "POST" | "DELETE", path: string, body?: unknown): Promise<unknown> {
    const asked = this.#last.then(async () => {
      if (this.#tab !== tab) await this.driver("POST", `${this.path}/window`, { handle: tab });
      this.#tab = tab;
      return this.driver(method, this.path + path, body);
    });
    this.#last = asked.catch(() => {});
    return asked;
  }
}

/** One page of WebKit, as far as tests use it. */
export class WebKitPage implements Tab {
  private constructor(
    readonly session: Session,
    readonly tab: string,
  ) {}

  /** In a browser of its own. */
  static async open(ask: WebDriver): Promise<WebKitPage> {
    const capabilities = { alwaysMatch: { "webkitgtk:browserOptions": BROWSER } };
    const { sessionId } = (await ask("POST", "/session", { capabilities })) as { sessionId: string };
    const path = `/session/${sessionId}`;
    return new WebKitPage(new Session(ask, path), (await ask("GET", `${path}/window`)) as string);
  }

  goto = (url: string) => this.#post("/url", { url });
  reload = () => this.#post("/refresh", {});
  back = () => this.#post("/back", {});

  /** The function may be async. It is sent as text. */
  async evaluate<A, R>(work: (argument: A) => R, argument?: A): Promise<Awaited<R>> {
    const script = `const [argument, done] = arguments;
      Promise.resolve((${work})(argument))
        .then((value) => done({ value }), (error) => done({ error: String(error?.stack ?? error) }));`;
    const answer = await this.#post("/execute/async", { script, args: [argument ?? null] });
    const { value, error } = answer as { value: Awaited<R>; error?: string };
    if (error) throw new Error(error);
    return value;
  }

  press = (key: Key) => this.type(KEYS[key]);

  async type(text: string): Promise<void> {
    const actions = [...text].flatMap((value) => ["keyDown", "keyUp"].map((type) => ({ type, value })));
    await this.#post("/actions", { actions: [{ type: "key", id: "keys", actions }] });
  }

  async click(selector: string): Promise<void> {
    const element = (await this.#find(selector)) as Record<string, string>;
    await this.#post(`/element/${Object.values(element)[0]}/click`, {});
  }

  async wheel(selector: string, pixels: number): Promise<void> {
    const origin = await this.#find(selector);
    const turn = { type: "scroll", x: 0, y: 0, deltaX: 0, deltaY: pixels, origin };
    await this.#post("/actions", { actions: [{ type: "wheel", id: "wheel", actions: [turn] }] });
  }

  /** The driver speaks of the window with its bar. */
  async resize(width: number, height: number): Promise<void> {
    const bar = await this.evaluate(() => outerHeight - innerHeight);
    await this.#post("/window/rect", { width, height: height + bar });
  }

  async screenshot(): Promise<Uint8Array> {
    return Buffer.from((await this.session.ask(this.tab, "GET", "/screenshot")) as string, "base64");
  }

  async another(): Promise<WebKitPage> {
    const { handle } = (await this.#post("/window/new", { type: "tab" })) as { handle: string };
    return new WebKitPage(this.session, handle);
  }

  close = () => this.session.ask(this.tab, "DELETE", "/window");

  /** With all of its tabs. */
  async closeBrowser(): Promise<void> {
    await this.session.driver("DELETE", this.session.path);
  }

  #find = (selector: string) => this.#post("/element", { using: "css selector", value: selector });

  #post(path: string, body: unknown): Promise<unknown> {
    return this.session.ask(this.tab, "POST", path, body);
  }
}
