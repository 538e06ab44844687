import { createSpaceClient, type SpaceClient } from "../../../src/client/index.js";
import type { Chance } from "../process/chance.js";
import type { ChaosLine } from "./line.js";

/** A client that makes changes to rows of its own, and knows what must have become of them. */
export class ChaosClient {
  readonly client: SpaceClient;
  readonly counts = { changes: 0, refused: 0, snapshots: 0 };
  /** What must never be shown. */
  fault: string | undefined;
  /** The name of each row as it must be in the end; null: deleted. */
  readonly names = new Map<string, string | null>();
  readonly #open = new Set<Promise<unknown>>();
  readonly #stored: string[] = [];
  #made = 0;
  #changed = 0;

  constructor(
    readonly label: string,
    readonly line: ChaosLine,
    readonly chance: Chance,
    spaceId: string,
  ) {
    this.client = createSpaceClient({ url: line.url, spaceId, tabs: false });
    this.client.subscribe(() => this.#look());
  }

  /** A change, or a wish for older messages. */
  act(): void {
    const { client, chance } = this;
    const id = chance.of(this.#stored);
    const dice = chance.next();
    if (dice < 0.1) void client.loadOlder();
    else if (dice < 0.15) void client.refresh();
    else if (id === undefined || dice < 0.4) this.#create();
    else if (dice < 0.9) this.#rename(id);
    else this.#delete(id);
  }

  /** Every change has been answered. */
  async settled(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open);
  }

  /** A message, or a row of a tracked table: its ID says which. */
  #create(): void {
    const id = `${this.label} ${++this.#made} ${this.chance.is(0.4) ? "task" : "intention"}`;
    const fields = { id, name: this.#nextName(id) };
    this.#follow(this.client.createEntity<string>(typeOf(id), fields).then(() => this.#stored.push(id)));
    // Before anybody knows whether the row is there.
    if (this.chance.is(0.3)) this.#rename(id);
  }

  #rename(id: string): void {
    const name = this.#nextName(id);
    const state = this.chance.of(["active", "complete"] as const);
    this.#follow(this.client.updateEntity<string>(typeOf(id), id, { name, ...(state && { state }) }));
  }

  #delete(id: string): void {
    this.#stored.splice(this.#stored.indexOf(id), 1);
    this.names.set(id, null);
    this.#follow(this.client.deleteEntity<string>(typeOf(id), id));
  }

  #nextName(id: string): string {
    const name = `${this.label}: ${++this.#changed}`;
    this.names.set(id, name);
    return name;
  }

  #follow(change: Promise<unknown>): void {
    this.counts.changes++;
    const answered = change.catch((error: Error) => {
      this.counts.refused++;
      this.fault ??= `refused: ${error.message}`; // nothing here is to be refused
    });
    this.#open.add(answered);
    void answered.finally(() => this.#open.delete(answered));
  }

  #look(): void {
    this.counts.snapshots++;
    const { beings, intentions, intentionIds, data } = this.client.getSnapshot();
    const [left, right] = ["left", "right"].map((id) => beings.find((being) => being.id.endsWith(id))?.name);
    // One transaction changes both (P5).
    if (data && left !== right) this.fault ??= `half of a transaction: ${left}, ${right}`;
    if (new Set(intentionIds).size < intentions.length) this.fault ??= `a message twice: ${intentionIds}`;
    if (new Set(beings.map(({ id }) => id)).size < beings.length) this.fault ??= "a being twice";
  }
}

const typeOf = (id: string) => id.slice(id.lastIndexOf(" ") + 1);
