import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { Line, PlayedStream } from "./played-stream.mjs";

const AWAY = {
  success: false,
  error: "the relay is played: it has no state, only streams",
  code: "unavailable",
};
const CORS = { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*" };

/** What a case plays with a client: the streams that it opens, and the states that it reports. */
class Stage {
  #streams = [];
  #looks = new Set();
  reports = [];
  /** What the next attempts to open a stream are refused with: `[status, headers, body]`. */
  refusals = [];

  opened(stream) {
    this.#streams.push(stream);
    this.#look();
  }

  reported(state) {
    this.reports.push(state);
    this.#look();
  }

  get waitingStreams() {
    return this.#streams.length;
  }

  /** The next stream that the client has opened, or opens. */
  async stream(patienceMs, what) {
    await this.until(() => this.#streams.length > 0, patienceMs, what);
    return this.#streams.shift();
  }

  until(condition, patienceMs, what) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => {
          this.#looks.delete(look);
          reject(new Error(`${what()} did not come within ${patienceMs / 1_000} s`));
        },
        Math.min(patienceMs, 2 ** 31 - 1),
      ).unref(); // the server is what keeps the process
      const look = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.#looks.delete(look);
        resolve();
      };
      this.#looks.add(look);
      look();
    });
  }

  #look() {
    for (const look of [...this.#looks]) look();
  }
}

/** A relay that says what a case tells it to. Each case is a space of its own. */
export class PlayedRelay {
  #stages = new Map();
  #lines = new Map();
  #server = createServer((request, response) => {
    this.#answer(request, response).catch((error) => {
      if (!response.headersSent)
        this.#json(response, 400, { success: false, error: error.message, code: "invalid" });
    });
  });

  /** `titles`: what each space is for. */
  static async start(port, titles) {
    const relay = new PlayedRelay();
    relay.titles = titles;
    for (const spaceId of Object.keys(titles)) relay.#stages.set(spaceId, new Stage());
    relay.#server.listen(port, "127.0.0.1");
    await once(relay.#server, "listening");
    relay.url = `http://127.0.0.1:${relay.#server.address().port}`;
    return relay;
  }

  stage(spaceId) {
    return this.#stages.get(spaceId);
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request, response) {
    const url = new URL(request.url, this.url);
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const body = pieces.length > 0 ? JSON.parse(Buffer.concat(pieces)) : {};
    const route = `${request.method} ${url.pathname}`;
    const [, streamId] = /^POST \/api\/stream\/(.+)$/.exec(route) ?? [];
    const [, reporter] = /^POST \/report\/(.+)$/.exec(route) ?? [];
    if (request.method === "OPTIONS") response.writeHead(204, CORS).end();
    else if (route === "GET /") this.#json(response, 200, this.titles);
    else if (route === "GET /api/stream") this.#openFrom(request, url.searchParams, response);
    else if (route === "POST /api/stream") this.#open(response, body.spaces, true, body.appends === true);
    else if (streamId) this.#change(response, streamId, body);
    else if (reporter && this.stage(decodeURIComponent(reporter))) {
      this.stage(decodeURIComponent(reporter)).reported(body);
      response.writeHead(204, CORS).end();
    } else if (route === "GET /api/sync") this.#json(response, 503, AWAY, { "Retry-After": "1" });
    else this.#json(response, 404, { success: false, error: `there is no ${route}`, code: "not_found" });
  }

  #openFrom(request, query, response) {
    const ids = query.getAll("spaceId");
    const since = request.headers["last-event-id"] ?? query.get("lastEventId") ?? query.get("since");
    const spaces = Object.fromEntries(ids.map((id) => [id, since]));
    this.#open(response, spaces, ids.length > 1, query.get("appends") === "1");
  }

  #open(response, spaces, isMany, appends) {
    const stages = Object.keys(spaces).map((id) => this.stage(id));
    if (!isMany && !stages[0])
      return this.#json(response, 404, { success: false, error: "no space", code: "not_found" });
    const refusal = stages.map((stage) => stage?.refusals.shift()).find(Boolean);
    if (refusal) {
      const [status, headers, text] = refusal;
      response.writeHead(status, { ...CORS, ...headers }).end(text);
      return;
    }
    for (const [name, value] of Object.entries(CORS)) response.setHeader(name, value);
    const line = new Line(response, isMany, appends);
    if (isMany) {
      const streamId = randomBytes(18).toString("base64url");
      this.#lines.set(streamId, line);
      line.write(`data: ${JSON.stringify({ type: "stream", streamId })}\n\n`);
    }
    this.#follow(line, spaces);
  }

  #follow(line, spaces) {
    for (const [spaceId, since] of Object.entries(spaces)) {
      const refused = { type: "space-refused", spaceId, code: "not_found", error: "there is no such space" };
      if (this.stage(spaceId)) this.stage(spaceId).opened(new PlayedStream(line, spaceId, since));
      else line.write(`data: ${JSON.stringify(refused)}\n\n`);
    }
  }

  #change(response, streamId, { add = {} }) {
    const line = this.#lines.get(streamId);
    if (!line?.isOpen)
      return this.#json(response, 404, { success: false, error: "no stream", code: "not_found" });
    this.#follow(line, add);
    this.#json(response, 200, { success: true, spaces: Object.keys(add).length });
  }

  #json(response, status, value, headers = {}) {
    response
      .writeHead(status, { "Content-Type": "application/json", ...CORS, ...headers })
      .end(JSON.stringify(value));
  }
}
