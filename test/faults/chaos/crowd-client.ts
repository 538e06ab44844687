import { createSpaceClient, type SpaceClient } from "../../../src/client/index.js";
import type { Chance } from "../../support/process/chance.js";
import type { Outcome } from "./ledger.js";
import { twins } from "./space.js";
import { type SpaceTruth, unlike } from "./truth.js";
import type { Witness } from "./witness.js";

export type Tier = "realtime" | "polling" | "cache";

/** A write of a client, and what it was told of it. */
export interface Told {
  token: string;
  table: "beings" | "intentions";
  since: number;
  outcome: Outcome;
}

/** One of the hundred: reads, writes, and looks at each snapshot for what must never be shown. */
export class CrowdClient {
  readonly client: SpaceClient;
  told: Told[] = [];
  readonly #open = new Set<Promise<unknown>>();
  #version = 0;
  #made = 0;

  constructor(
    readonly name: string,
    readonly tier: Tier,
    url: string,
    spaceId: string,
    readonly chance: Chance,
    readonly witness: Witness,
  ) {
    this.client = createSpaceClient({ url, spaceId, tabs: false });
    this.client.subscribe(() => this.#look());
  }

  /** A change of its own, of a row that everybody changes, or a wish. */
  act(): void {
    const { client, chance } = this;
    const dice = chance.next();
    const id = chance.of(client.getSnapshot().beings.filter((being) => being.id.startsWith("being ")))?.id;
    if (dice < 0.06) void client.loadOlder();
    else if (dice < 0.1) void client.refresh();
    else if (dice < 0.3 && id) this.#follow(client.updateBeing(id, { name: `${this.name}.${++this.#made}` }));
    else this.#create(dice < 0.8 ? "intentions" : "beings");
  }

  /** Every change has been answered. */
  async settled(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open);
    this.client.dismissError();
  }

  /** What it shows that the database does not have, or the other way round. */
  difference(truth: SpaceTruth): string | undefined {
    const { data, beings, intentions, hasMore, pendingIds, mode, fault } = this.client.getSnapshot();
    if (pendingIds.size > 0) return `still has changes to send: ${[...pendingIds]}`;
    if (this.tier !== "polling" && mode !== "realtime") return `is in mode ${mode}: ${fault?.message}`;
    if (data?.version !== truth.version)
      return `is at version ${data?.version} of ${truth.version}, in mode ${mode}`;
    const first = hasMore ? truth.intentions.length - intentions.length : 0;
    return (
      unlike("beings", beings, truth.beings) ??
      unlike("messages", intentions, truth.intentions.slice(Math.max(0, first)))
    );
  }

  #create(table: Told["table"]): void {
    const token = `${this.name}.${++this.#made}`;
    const fields = { id: `${token}#1`, name: token };
    const since = Date.now();
    const change: Promise<unknown> =
      table === "beings" ? this.client.createBeing(fields) : this.client.createIntention(fields);
    this.witness.count("write: API, client library");
    this.#follow(
      change.then(
        () => this.told.push({ token, table, since, outcome: "acknowledged" }),
        (error: Error) => {
          // Nobody may refuse it, and a client asks until it has an answer.
          this.witness.object(this.name, `is refused: ${error.message}`);
          this.told.push({ token, table, since, outcome: "unknown" });
        },
      ),
    );
  }

  #follow(change: Promise<unknown>): void {
    // A row that everybody changes may be gone, or elsewhere, by the time.
    const answered = change.catch(() => this.witness.count("refusal: client library"));
    this.#open.add(answered);
    void answered.finally(() => this.#open.delete(answered));
  }

  #look(): void {
    const { data, beings, intentions, intentionIds, mode } = this.client.getSnapshot();
    this.witness.count("snapshots of clients");
    if (!data) return;
    if (data.version < this.#version)
      this.witness.object(this.name, `goes back from ${this.#version} to ${data.version}`);
    if (data.version > this.#version) {
      if (this.#version > 0)
        this.witness.count("versions that clients applied", data.version - this.#version);
      this.witness.count(`versions come in ${mode}`);
    }
    this.#version = data.version;
    for (const row of beings) this.witness.see(this.name, row);
    for (const row of intentions) this.witness.see(this.name, row);
    if (new Set(intentionIds).size < intentions.length)
      this.witness.object(this.name, "shows a message twice");
    if (new Set(beings.map(({ id }) => id)).size < beings.length)
      this.witness.object(this.name, "shows a being twice");
    const [left, right] = twins(this.client.spaceId).map((id) => this.client.getBeing(id)?.name);
    if (left !== right) this.witness.object(this.name, `shows half of a transaction: ${left}, ${right}`);
  }
}
