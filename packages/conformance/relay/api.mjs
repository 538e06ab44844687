import { setTimeout as sleep } from "node:timers/promises";

/** The relay's HTTP API, as anybody may call it. */
export class Api {
  constructor(url, headers = {}) {
    this.base = url.replace(/\/$/, "");
    this.headers = headers;
  }

  /** An answer, whatever it is. A relay that has had enough is asked again when it says so (rule 2.2). */
  async ask(path, { method = "GET", body, headers = {}, signal } = {}) {
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const type = text === undefined ? {} : { "Content-Type": "application/json" };
    for (;;) {
      const init = { method, headers: { ...type, ...this.headers, ...headers }, signal };
      const response = await fetch(this.base + path, text === undefined ? init : { ...init, body: text });
      if (response.status !== 429) return response;
      await response.body?.cancel();
      await sleep(1_000 * Number(response.headers.get("Retry-After") ?? 1));
    }
  }

  /** Status and JSON body. */
  async post(path, body) {
    const response = await this.ask(`/api/${path}`, { method: "POST", body });
    return {
      status: response.status,
      headers: response.headers,
      body: await response.json().catch(() => null),
    };
  }

  /** A change that has to be accepted: `{data, version}`. */
  async change(path, body) {
    const answer = await this.post(path, body);
    if (answer.status === 200) return answer.body;
    throw new Error(
      `${body.action} in /api/${path} was refused with ${answer.status}: ${answer.body?.error}`,
    );
  }

  /** The complete state of a space (rule 9.1). */
  async state(spaceId) {
    const response = await this.ask(`/api/sync?${new URLSearchParams({ spaceId })}`);
    if (response.ok) return await response.json();
    throw new Error(`/api/sync answered ${response.status}: ${await response.text()}`);
  }
}
