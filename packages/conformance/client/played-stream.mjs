const HEARTBEAT_MS = 1_000;

/** A connection that a client has opened: one space, or many, whose events then say of which they are. */
export class Line {
  isOpen = true;
  isSilent = false;

  constructor(response, isMany, appends) {
    this.response = response;
    this.isMany = isMany;
    this.appends = appends;
    response.writeHead(200, {
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-cache, no-transform",
    });
    response.socket.setNoDelay(true);
    this.write("retry: 100\n\n");
    this.beat(null);
    const beats = setInterval(() => this.beat(null), HEARTBEAT_MS);
    response.on("close", () => {
      this.isOpen = false;
      clearInterval(beats);
    });
  }

  write(bytes) {
    if (this.isOpen) this.response.write(bytes);
  }

  beat(version) {
    const beat = { version, everyMs: HEARTBEAT_MS };
    if (!this.isSilent) this.write(`event: heartbeat\ndata: ${JSON.stringify(beat)}\n\n`);
  }
}

/** A space on a line. */
export class PlayedStream {
  constructor(line, spaceId, since) {
    this.line = line;
    this.spaceId = spaceId;
    /** The cursor that the client came with; null: none. */
    this.since = since;
  }

  get isMany() {
    return this.line.isMany;
  }

  /** Groups, or what has begun of one, in one piece. */
  send(...groups) {
    this.line.write(groups.map((group) => this.textOf(group)).join(""));
  }

  textOf(group) {
    return group.map((event) => `${this.idOf(event)}data: ${JSON.stringify(this.named(event))}\n\n`).join("");
  }

  /** The SSE line of a cursor, which only a stream of one space has (rules 5.2 and 8.3). */
  idOf({ cursor }) {
    return cursor === undefined || this.isMany ? "" : `id: ${cursor}\n`;
  }

  named(event) {
    return this.isMany ? { spaceId: this.spaceId, ...event } : event;
  }

  beat(version) {
    this.line.beat(version);
  }

  /** The connection breaks. */
  cut() {
    this.line.response.destroy();
  }

  /** The stream ends as it should. */
  end() {
    this.line.response.end();
  }
}
