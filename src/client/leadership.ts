import { newId } from "./mutation.js";

/*
 * Which tab of a browser leads. A lock of the browser says it. A tab that is closed or crashes gives its locks back: the
 * next one leads, and who leads learns by the tab's own lock that it has gone.
 *
 *      follower ── lock granted ──▶ leader
 *          ▲                          │
 *          └───── lock was stolen ────┘        any: close ──▶ closed
 *                                                   refused ──▶ alone
 *
 * A follower that hears nothing for a while (the leader is frozen) steals the lock, when its page is looked at. A tab
 * to which the browser refuses locks or channels (blocked cookies, a sandboxed frame) leads alone.
 */

/** What a tab does then. */
export interface Roles<Message> {
  lead(): void;
  /** From the beginning, or again. */
  follow(): void;
  /** What another tab says. Returns whether it is the leader. */
  hear(message: Message): boolean;
  /** The leader is to say that it lives. */
  beat(): void;
}

export const BEAT_MS = 2_000;
const SILENCE_MS = 4_500;

export class Leadership<Message> {
  /** This tab, for the others. */
  readonly tab = newId();
  readonly #name: string | null;
  readonly #roles: Roles<Message>;
  #channel: BroadcastChannel | undefined;
  /** Ended when it is closed, and when the tab stands alone. */
  readonly #sharing = new AbortController();
  #watch: ReturnType<typeof setInterval> | undefined;
  #leads = false;
  #heard = Date.now();
  /** Since when it takes the lock; 0: it does not. */
  #stealingSince = 0;

  /** `name`: of those of which one leads; null: this tab alone. */
  constructor(name: string | null, roles: Roles<Message>) {
    this.#name = name;
    this.#roles = roles;
  }

  start(): void {
    if (this.#name === null) {
      this.#standAlone();
      return;
    }
    this.#watch = setInterval(() => this.look(), BEAT_MS);
    void this.#live(this.#name);
  }

  /** Says it to the other tabs, once they see that this one lives. */
  say(message: Message): void {
    if (this.#sharing.signal.aborted) return;
    try {
      this.#channel?.postMessage(message);
    } catch {
      this.#standAlone();
    }
  }

  /** Waits until another tab has gone. */
  watch(tab: string, gone: () => void): void {
    const { signal } = this.#sharing;
    navigator.locks.request(this.#name + tab, { signal }, gone).catch(() => {});
  }

  /** Whether the leader lives. */
  look(): void {
    if (this.#sharing.signal.aborted) return;
    const isSilent = Date.now() - this.#heard > SILENCE_MS;
    if (this.#leads) {
      this.#roles.beat();
    } else if (isSilent && this.#stealingSince) {
      // A lock that is stolen is had at once: this one is neither given nor refused.
      if (Date.now() - this.#stealingSince > BEAT_MS / 2) this.#standAlone();
    } else if (isSilent && globalThis.document?.visibilityState !== "hidden") {
      this.#stealingSince = Date.now();
      void this.#compete({ steal: true });
    }
  }

  close(): void {
    clearInterval(this.#watch);
    this.#sharing.abort();
    this.#channel?.close();
  }

  /** The browser refuses what tabs share, or nothing is to be shared. */
  #standAlone(): void {
    this.close();
    this.#leads = false;
    this.#lead();
  }

  /** Takes the lock of this tab, and then waits to lead. */
  async #live(name: string): Promise<void> {
    const { signal } = this.#sharing;
    try {
      await navigator.locks.request(name + this.tab, { signal }, () => {
        this.#channel = new BroadcastChannel(name);
        this.#channel.onmessage = ({ data }: MessageEvent<Message>) => {
          if (!this.#roles.hear(data)) return;
          this.#heard = Date.now();
          this.#stealingSince = 0;
        };
        if (!this.#leads) this.#roles.follow();
        void this.#compete({ signal });
        return ended(signal);
      });
    } catch {
      if (!signal.aborted) this.#standAlone();
    }
  }

  /** Waits for the lock, or takes it, and leads as long as it has it. */
  async #compete(how: LockOptions): Promise<void> {
    const { signal } = this.#sharing;
    let hasLed = false;
    const lead = () => {
      if (signal.aborted) return;
      this.#lead();
      hasLed = true;
      return ended(signal);
    };
    try {
      await navigator.locks.request(`${this.#name}`, how, lead);
    } catch {
      if (signal.aborted) return;
      if (!hasLed) return this.#standAlone();
      // Another tab has stolen the lock, and what it has said while both led was not heard here.
      this.#leads = false;
      this.#heard = Date.now();
      this.#roles.follow();
      if (!how.steal) void this.#compete({ signal }); // else the request of before still waits
    }
  }

  #lead(): void {
    this.#stealingSince = 0;
    if (this.#leads) return;
    this.#leads = true;
    this.#roles.lead();
  }
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve());
  });
}
