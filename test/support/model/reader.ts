import { isDeepStrictEqual } from "node:util";
import type { Mutation, Stored } from "../../../src/client/mutation.js";
import { byPosition } from "../../../src/client/order.js";
import { type Group, judge, type Replica, type State } from "../../../src/client/replica.js";
import { emptyStore, reduce, type SpaceStore, type StoreAction, show } from "../../../src/client/store.js";
import type { Intention } from "../../../src/protocol/messages.js";
import { changing, instant } from "../postgres/rows.js";
import type { ModelServer, Write } from "./server.js";

/** What happens between a reader and its server: each thing that is sent arrives later, or never. */
export type Step =
  | { do: "commit"; writes: Write[] }
  | { do: "push" | "hear" | "cut" | "ask older" | "read older" | "hear older" | "reset" }
  | { do: "poll" }
  | { do: "hear poll"; choice: number }
  | { do: "mutate"; write: Write }
  | { do: "store" }
  | { do: "hear answer" };

const SNAPSHOT = 3;
const PAGE = 2;
const MANY = 4;

type Older = { before: string | undefined; window: number; page?: Intention[] | null; version?: number };
type Change = { mutation: Mutation; write: Write; answer?: StoreAction };

/** The store of a client, and what is on its way to it, in whatever order it comes. */
export class ModelReader {
  store: SpaceStore = emptyStore("here");
  /** What the stream has sent and we have not read, and where it is. */
  #stream: Group[] = [];
  #at: string | null = null;
  #polls: State[] = [];
  #older: Older | undefined;
  readonly #changes: Change[] = [];
  /** A page may be of a later version than the replica: until then they are not of one version. */
  #ahead = 0;

  constructor(readonly server: ModelServer) {}

  get #replica(): Replica | null {
    return this.store.replica;
  }

  take(step: Step): void {
    const { server } = this;
    if (step.do === "commit") server.commit(step.writes);
    else if (step.do === "reset") server.reset();
    else if (step.do === "push") this.#push();
    else if (step.do === "hear") this.#hear();
    else if (step.do === "cut") this.#reopen();
    else if (step.do === "poll")
      this.#polls.push(server.state((this.#replica?.lists.intention.length ?? 0) + PAGE));
    else if (step.do === "hear poll") this.#hearPoll(step.choice);
    else if (step.do === "ask older") this.#askOlder();
    else if (step.do === "read older") this.#readOlder();
    else if (step.do === "hear older") this.#hearOlder();
    else if (step.do === "mutate") this.#mutate(step.write);
    else if (step.do === "store") this.#send();
    else this.#hearAnswer();
  }

  /** All that is on its way arrives. */
  settle(): void {
    while (this.#changes.length > 0) {
      this.#send();
      this.#hearAnswer();
    }
    this.#readOlder();
    this.#hearOlder();
    while (this.#polls.length > 0) this.#hearPoll(0);
    for (let turns = 0; this.#replica?.cursor !== this.server.cursor; turns++) {
      if (turns > 20) throw new Error(`stuck at ${this.#replica?.cursor}, not at ${this.server.cursor}`);
      this.#push();
      while (this.#stream.length > 0) this.#hear();
      // What the heartbeat says is not what we have: begin again, as the client does.
      if (this.#at === this.server.cursor && this.#replica?.cursor !== this.#at) this.#reopen();
    }
  }

  /** What differs from the state of the replica's version, as far as the window goes. */
  difference(): unknown {
    const replica = this.#replica;
    const [epoch] = this.server.cursor.split(".");
    if (!replica || replica.cursor.split(".")[0] !== epoch || replica.version < this.#ahead) return undefined;
    const { version, oldest, hasMore } = replica;
    const isInside = (message: Intention) => !hasMore || !oldest || byPosition(message, oldest) >= 0;
    const wanted = {
      being: this.server.beings(version),
      intention: this.server.messages(version).filter(isInside),
      task: this.server.tasks(version),
    };
    const has = { task: [], ...replica.lists };
    return isDeepStrictEqual(has, wanted) ? undefined : { version, has, wanted, oldest, hasMore };
  }

  /** What the snapshot shows that the replica does not have, once all is answered. */
  leftovers(): unknown {
    const { entities, pendingIds } = show(this.store, null);
    const { mutations, replica } = this.store;
    const isClean = mutations.length === 0 && pendingIds.size === 0;
    return isClean && isDeepStrictEqual(entities, replica?.lists) ? undefined : { mutations, entities };
  }

  #dispatch(action: StoreAction): void {
    this.store = reduce(this.store, action);
  }

  #push(): void {
    const group = this.server.group(this.#at, MANY, SNAPSHOT);
    if (!group) return;
    this.#stream.push(group);
    this.#at = this.server.cursor;
  }

  #hear(): void {
    const group = this.#stream.shift();
    if (!group) return;
    if (judge(this.#replica, group) === "gap") this.#reopen();
    else this.#dispatch({ type: "group", group, at: instant(0) });
  }

  #reopen(): void {
    this.#stream = [];
    this.#at = this.#replica?.cursor ?? null;
  }

  #hearPoll(choice: number): void {
    const [state] = this.#polls.splice(choice % (this.#polls.length || 1), 1);
    if (state) this.#dispatch({ type: "state", state });
  }

  #askOlder(): void {
    if (this.#older || !this.#replica?.hasMore) return;
    this.#dispatch({ type: "await-older" });
    const { lists, window } = this.#replica;
    this.#older = { before: lists.intention[0]?.messageId, window };
  }

  #readOlder(): void {
    if (!this.#older || this.#older.page !== undefined) return;
    this.#older.page = this.server.page(this.#older.before, PAGE);
    this.#older.version = this.server.version;
  }

  #hearOlder(): void {
    const { page, window = -1, version = 0 } = this.#older ?? {};
    if (page === undefined) return;
    this.#older = undefined;
    if (page === null) {
      this.#dispatch({ type: "no-older" });
      return;
    }
    if (window === this.#replica?.window) this.#ahead = version;
    this.#dispatch({ type: "older", page, hasMore: page.length === PAGE, window });
  }

  #mutate(write: Write): void {
    const { kind, verb, value } = write;
    const id = `${kind[0]}${write.row}`;
    const action = verb === "create" || verb === "delete" ? verb : "update";
    const locations = { "move away": "there", "move in": "here" } as const;
    const fields =
      verb === "move away" || verb === "move in"
        ? { [kind === "task" ? "project" : "locationId"]: locations[verb] }
        : { content: [value] };
    const mutation = changing(kind, action, id, action === "delete" ? {} : fields);
    this.#changes.push({ mutation, write });
    this.#dispatch({ type: "mutate", mutation });
  }

  /** The server takes the first change that waits, or refuses it. */
  #send(): void {
    const change = this.#changes.find((one) => !one.answer);
    if (!change) return;
    const { mutation, write } = change;
    const keys = [mutation.key];
    const before = this.server.find(mutation.kind, mutation.id);
    const isThere = mutation.kind === "task" ? this.server.isHere("task", mutation.id) : before !== undefined;
    const isRefused = mutation.action === "create" ? before !== undefined : !isThere;
    if (isRefused) {
      change.answer = { type: "refused", keys, error: { code: "conflict", message: "no", since: "" } };
      return;
    }
    this.server.commit([write]);
    const row = (this.server.find(mutation.kind, mutation.id) ?? before) as Stored;
    // Versions of another space are others, and mean nothing here.
    change.answer = { type: "stored", keys, row, version: this.server.version };
  }

  #hearAnswer(): void {
    const { answer } = this.#changes[0] ?? {};
    if (!answer) return;
    this.#changes.shift();
    this.#dispatch(answer);
  }
}
