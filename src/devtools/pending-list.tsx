import type { Mutation } from "../client/mutation.js";
import type { Observed } from "../client/observed.js";
import { Detail } from "./detail.js";

export const isPending = ({ answer }: Mutation) => !answer;

/** The changes of this page that the server does not have yet, in the order in which they are sent. */
export function PendingList({ clients }: { clients: readonly Observed[] }) {
  const pending = clients.flatMap((client) => {
    const { spaceId, mutations } = client();
    return mutations.filter(isPending).map((mutation) => ({ spaceId, mutation }));
  });
  return (
    <section aria-labelledby="pending">
      <h3 id="pending">
        Pending changes <span className="soft">{pending.length}</span>
      </h3>
      <ol className="entries">
        {pending.map(({ spaceId, mutation }) => (
          <Detail key={mutation.key} way="out" at={new Date(mutation.at)} spaceId={spaceId} detail={mutation}>
            {mutation.action} {mutation.kind}
          </Detail>
        ))}
      </ol>
    </section>
  );
}
