import { type ErrorCode, STATUS } from "../../../src/protocol/errors.js";
import type { Session } from "../../support/postgres/session.js";
import type { Case, IdChoice, Mutation, Since, Sql } from "./case.js";
import { type Kind, type Ledger, unlike } from "./ledger.js";
import { type Answer, FuzzLine } from "./line.js";
import { brokenLines } from "./reader.js";
import { encode, type Raw, type Request, type SpaceChoice } from "./request.js";
import { ODD_IDS, objectText } from "./text.js";

const CODES = Object.keys(STATUS).filter((code) => code !== "internal" && code !== "config");
const ID_FIELD = { beings: "beingId", intentions: "intentionId" } as const;

/**
 * Runs cases one after the other, beside other lanes. The IDs that it writes are its own, so that it knows what has
 * become of each; the spaces are everybody's.
 */
export class FuzzLane {
  readonly counts: Record<string, number> = {};
  readonly #ids: { beings: string[]; intentions: string[] } = { beings: [], intentions: [] };
  readonly #line: FuzzLine;

  /** `schemaFaults` says what of the JSON of a 200 is not as documented. */
  constructor(
    readonly lane: number,
    readonly lanes: number,
    readonly homes: string[],
    readonly ledger: Ledger,
    readonly session: Session,
    url: string,
    readonly schemaFaults: (path: string, method: string, json: unknown) => string[],
  ) {
    this.#line = new FuzzLine(new URL(url));
  }

  /** Throws what is wrong. */
  async run(one: Case): Promise<void> {
    this.#count(one.kind);
    switch (one.kind) {
      case "mutation":
        return this.#mutate(one);
      case "request":
        return this.#request(one);
      case "raw":
        return this.#raw(one);
      case "sql":
        return this.#sql(one);
      case "since":
        return this.#since(one);
    }
  }

  close(): void {
    this.#line.close();
  }

  async #mutate({ entity, action, id: choice, space, data, spoil }: Mutation): Promise<void> {
    const id = this.#idOf(entity, choice);
    const spaceId = this.#spaceOf(space);
    const inner = spoil?.where === "data" ? [...(data ?? []), spoil.field] : data;
    const fields: [string, string][] = [["action", JSON.stringify(action)]];
    if (action !== "list") fields.push([ID_FIELD[entity], JSON.stringify(id)]);
    const isBeside = action === "create" || action === "list";
    if (spaceId !== undefined && isBeside) fields.push(["spaceId", JSON.stringify(spaceId)]);
    if (inner && (action === "create" || action === "update")) fields.push(["data", objectText(inner)]);
    if (spoil?.where === "body") fields.push(spoil.field);
    const body = objectText(fields);
    const answer = await this.#post(entity, body);
    if (answer.status !== 200) {
      const isThere = this.ledger.get(entity, id) !== undefined;
      if (answer.status === 404 && isThere && action === "get")
        throw new Error(`${id} is stored, but not found`);
      return;
    }

    // What was accepted was said once at most where it counts, or the last of it: JSON.parse has it so, too.
    const said = JSON.parse(body) as { action: string; data?: Record<string, unknown> };
    const { data: row } = JSON.parse(answer.text) as { data: Record<string, unknown> & { id: string } };
    if (said.action === "list") return;
    const { id: _, locationId: __, ...sent } = said.data ?? {};
    const before = this.ledger.get(entity, row.id);
    const wrong = said.action === "create" || said.action === "update" ? unlike(row, sent) : [];
    if (wrong.length > 0) throw new Error(`${wrong} of ${answer.text} is not as it was sent`);
    if (said.action !== "create" && !before) throw new Error(`${said.action} of what was never accepted`);
    if (before && said.action !== "update" && unlike(row, before).length > 0)
      throw new Error(`${said.action} answers ${answer.text}, stored is ${JSON.stringify(before)}`);
    if (said.action === "delete") this.ledger.delete(entity, row.id);
    else this.#stored(entity, row);
    if (said.action === "get") return;
    const again = await this.#post(entity, JSON.stringify({ action: "get", [ID_FIELD[entity]]: row.id }));
    if (again.status !== (said.action === "delete" ? 404 : 200))
      throw new Error(`${said.action}d, and read back with ${again.status}`);
    if (again.status === 200 && unlike(JSON.parse(again.text).data, row).length > 0)
      throw new Error(`read back as ${again.text}, and not as ${answer.text}`);
  }

  async #request({ method, path, query, space, headers, body }: Request): Promise<void> {
    const spaceId = this.#spaceOf(space);
    const pairs = query.map(([name, value, isEncoded]) => [encode(name), isEncoded ? encode(value) : value]);
    if (spaceId !== undefined) pairs.unshift(["spaceId", encode(spaceId)]);
    const search = pairs.length > 0 ? `?${pairs.map((pair) => pair.join("=")).join("&")}` : "";
    const hasBody = body && method !== "GET" && method !== "HEAD" && method !== "TRACE";
    this.#judge(
      path,
      method,
      await this.#line.send(method, path + search, headers, hasBody ? body : undefined),
    );
  }

  async #raw({ base, edits }: Raw): Promise<void> {
    const spaceId = encode(this.homes[base % this.homes.length] as string);
    const body = '{"action":"get","beingId":"nobody"}';
    const requests = [
      "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
      `GET /api/sync?spaceId=${spaceId} HTTP/1.1\r\nHost: h\r\nIf-None-Match: *\r\n\r\n`,
      `GET /api/stream?spaceId=${spaceId} HTTP/1.1\r\nHost: h\r\nLast-Event-ID: x\r\n\r\n`,
      `POST /api/beings HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      `POST /api/intentions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ];
    let bytes = Buffer.from(requests[base % requests.length] as string);
    for (const { at, remove, insert } of edits) {
      const from = at % (bytes.length + 1);
      bytes = Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(from + remove)]);
    }
    const text = await this.#line.raw(bytes);
    if (text !== "" && !text.startsWith("HTTP/1.1 ")) throw new Error(`the answer is no HTTP: ${text}`);
    const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status));
    for (const status of statuses) {
      if (status >= 500) throw new Error(`${status} to ${JSON.stringify(bytes.toString("latin1"))}: ${text}`);
      this.#count(String(status));
    }
  }

  /** A DBA may write any jsonb. */
  async #sql({ entity, id: choice, home, name, content }: Sql): Promise<void> {
    const id = this.#idOf(entity, choice);
    const json = entity === "beings" ? "being_json" : "intention_json";
    const values = [id, this.homes[home % this.homes.length], name, content];
    const { rows, error } = await this.session.outcome(
      `insert into public.${entity} as e (id, location_id, name, content) values ($1, $2, $3, $4)
       on conflict (id) do update
       set name = excluded.name, content = excluded.content, location_id = excluded.location_id
       returning sync.${json}(e)::text as json, e.content = $4::jsonb as same`,
      values,
    );
    // Not the value's fault: of the class data exception, a violated check, or nested too deep for Postgres.
    if (error && !/^22|^23514$|^54001$/.test(error.code ?? "")) throw error;
    this.#count(error ? "refused by SQL" : "written by SQL");
    if (!rows) return;
    if (!rows[0]?.same) throw new Error("SQL stores other content than it was given");
    this.#stored(entity, JSON.parse(rows[0].json as string));
  }

  async #since({ home, since }: Since): Promise<void> {
    const { rows, error } = await this.session.outcome("select sync.resolve_cursor($1, $2) as version", [
      this.homes[home % this.homes.length],
      since,
    ]);
    // Half a surrogate pair never reaches Postgres, and a NUL is no text (22021).
    if (error && error.code !== "22023" && error.code !== "22021") throw error;
    if (rows && rows[0]?.version !== null && !/^\d+$/.test(String(rows[0]?.version)))
      throw new Error("no version");
    this.#count(error ? "since refused" : "since resolved");
  }

  async #post(entity: Kind, body: string): Promise<Answer> {
    const headers = { "Content-Type": "application/json" };
    const answer = await this.#line.send("POST", `/api/${entity}`, headers, body);
    this.#judge(`/api/${entity}`, "POST", answer);
    return answer;
  }

  #judge(path: string, method: string, { status, headers, text }: Answer): void {
    const fault = (what: string) =>
      new Error(`${what}: ${status} ${headers["content-type"]} ${text.slice(0, 2_000)}`);
    this.#count(String(status));
    if (status >= 500) throw fault("a fault of the relay's");
    if (method === "HEAD" || status === 304) {
      if (text !== "") throw fault("a body where there is none");
    } else if (headers["content-type"]?.startsWith("text/event-stream")) {
      const broken = brokenLines(text.slice(0, text.lastIndexOf("\n") + 1), (data) => JSON.parse(data));
      if (broken.length > 0) throw fault(`broken lines ${JSON.stringify(broken)}`);
    } else if (status !== 200) {
      if (!text.startsWith("{")) throw fault("a refusal that is no JSON");
      const { success, error, code, ...more } = JSON.parse(text) as Record<string, unknown>;
      const isKnown = CODES.includes(code as string) && STATUS[code as ErrorCode] === status;
      const isOurs = success === false && typeof error === "string" && error !== "";
      if (!isKnown || !isOurs || Object.keys(more).length > 0) throw fault("a refusal that is none of ours");
    } else if (path !== "/metrics" && path !== "/") {
      const faults = this.schemaFaults(path, method.toLowerCase(), JSON.parse(text));
      if (faults.length > 0) throw fault(`not as documented (${faults.slice(0, 5)})`);
    }
  }

  #stored(entity: Kind, row: Record<string, unknown> & { id: string }): void {
    if (!this.ledger.get(entity, row.id)) this.#ids[entity].push(row.id);
    this.ledger.set(entity, row);
  }

  #idOf(entity: Kind, choice: IdChoice): string {
    const own = `${this.lane}:`;
    if (choice.kind === "long") return own + choice.character.repeat(choice.length - own.length);
    if (choice.kind === "odd") {
      const index = choice.n - (choice.n % this.lanes) + this.lane;
      return ODD_IDS[index] ?? `${own}${ODD_IDS[choice.n]}`;
    }
    const stored = this.#ids[entity];
    if (choice.kind === "text" || stored.length === 0)
      return own + (choice.kind === "text" ? choice.text : choice.n);
    return stored[choice.n % stored.length] as string;
  }

  #spaceOf(choice: SpaceChoice): string | undefined {
    if (choice.kind === "none") return undefined;
    return choice.kind === "text" ? choice.text : this.homes[choice.n % this.homes.length];
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}
