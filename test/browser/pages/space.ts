// A page with one client on it and nothing else: the tests drive it, and it notes what its listeners were shown.
import { createSpaceClient, type SpaceClient, type SpaceClientOptions } from "../../../src/client/index.js";

let client: SpaceClient | undefined;
/** The modes that a listener has seen, in their order, without repeats. */
const modes: string[] = [];
/** The numbers of messages that a listener has seen, likewise. */
const sizes: number[] = [];
/** What no listener should ever be shown. */
const faults: string[] = [];
let version = 0;

function current(): SpaceClient {
  if (!client) throw new Error("no client has been opened on this page");
  return client;
}

function look(): void {
  const { mode, data, intentionIds } = current().getSnapshot();
  if (modes.at(-1) !== mode) modes.push(mode);
  if (sizes.at(-1) !== intentionIds.length) sizes.push(intentionIds.length);
  if (new Set(intentionIds).size < intentionIds.length)
    faults.push(`a message is there twice: ${intentionIds}`);
  if (data && data.version < version) faults.push(`back from version ${version} to ${data.version}`);
  version = data?.version ?? version;
}

const page = {
  open(options: SpaceClientOptions): void {
    client = createSpaceClient(options);
    client.subscribe(look);
    look();
  },
  get client(): SpaceClient {
    return current();
  },
  /** The snapshot in short, as JSON. */
  view() {
    const { data, intentions, pendingIds, mode, connected, error, fault, hasMore } = current().getSnapshot();
    const textOf = ({ content }: { content: unknown[] }) => String(content[0]);
    return {
      texts: intentions.map(textOf),
      /** Of these, the ones that the server does not have yet. */
      pending: intentions.filter(({ id }) => pendingIds.has(id)).map(textOf),
      version: data?.version ?? null,
      mode,
      connected,
      error: error?.message ?? null,
      fault: fault?.message ?? null,
      hasMore,
      modes,
      sizes,
      faults,
    };
  },
  /** Creates messages at once, one after the other. Resolves when the server has them all. */
  say(...texts: string[]): Promise<unknown> {
    return Promise.all(texts.map((text) => current().createIntention({ content: [text] })));
  },
  async loadAll(): Promise<void> {
    while (await current().loadOlder());
  },
};

declare global {
  var spacePage: typeof page;
}
globalThis.spacePage = page;
