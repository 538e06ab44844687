import { setTimeout as sleep } from "node:timers/promises";
import type { Chance } from "../process/chance.js";
import { HttpProxy } from "../relay/http-proxy.js";
import { TcpProxy } from "../relay/tcp-proxy.js";

/** A line between a client and the relay on which everything goes wrong that can. */
export class ChaosLine {
  readonly troubles: Record<string, number> = {};
  #lossy = 0;
  #streams = true;

  private constructor(
    readonly url: string,
    readonly tcp: TcpProxy,
    readonly http: HttpProxy,
    readonly chance: Chance,
  ) {
    const losses = chance.fork();
    http.rule = ({ path, method }) => {
      if (path === "/api/stream" && !this.#streams) return { status: 502 };
      if (method !== "POST" || !losses.is(this.#lossy)) return "pass";
      return losses.of(["lose answer", "lose request", { status: 503 }] as const) ?? "pass";
    };
  }

  static async before(relayUrl: string, chance: Chance): Promise<ChaosLine> {
    const http = await HttpProxy.before(relayUrl);
    const { proxy, url } = await TcpProxy.before(http.url);
    return new ChaosLine(url, proxy, http, chance);
  }

  /** Some trouble, and its end. */
  async trouble(): Promise<void> {
    const { chance, tcp, http } = this;
    const kind = chance.of([
      "cut",
      "cut",
      "refuse",
      "silence",
      "slow",
      "lossy",
      "lossy",
      "no streams",
      "none",
    ] as const);
    this.troubles[kind ?? ""] = (this.troubles[kind ?? ""] ?? 0) + 1;
    switch (kind) {
      case "cut":
        tcp.cut();
        return;
      case "refuse":
        tcp.refuse();
        tcp.cut();
        await sleep(100 + chance.below(1_500));
        await tcp.accept();
        return;
      case "silence":
        // Half-open: whoever is not cut afterwards finds out by itself.
        tcp.swallow(chance.of(["both", "to server", "to client"] as const));
        await sleep(100 + chance.below(2_000));
        tcp.restore();
        if (chance.is(0.7)) tcp.cut();
        return;
      case "slow":
        http.delayMs = chance.below(200);
        await sleep(500);
        return;
      case "lossy":
        this.#lossy = 0.6;
        await sleep(500 + chance.below(1_500));
        this.#lossy = 0;
        return;
      case "no streams":
        this.#streams = false;
        tcp.cut();
        await sleep(500 + chance.below(2_000));
        this.#streams = true;
        return;
      default:
        await sleep(500);
    }
  }

  /** All is well again. */
  async mend(): Promise<void> {
    this.#lossy = 0;
    this.#streams = true;
    this.http.delayMs = 0;
    this.tcp.restore();
    await this.tcp.accept();
    // What was swallowed is gone: such a connection is of no use to anybody.
    this.tcp.cut();
  }

  close(): void {
    this.tcp.close();
    this.http.close();
  }
}
