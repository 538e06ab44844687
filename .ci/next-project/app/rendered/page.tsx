import { readSpace } from "spacefeed";
import { HydrateSpace } from "spacefeed/react";
import Hall from "../page";

/** The page before it, with what is in the space: a server component reads it. */
export default async function Page() {
  const url = process.env.RELAY_URL ?? "http://127.0.0.1:8787";
  const state = await readSpace({ url, spaceId: "hall" }).catch(() => null);
  return (
    <HydrateSpace state={state}>
      <Hall />
    </HydrateSpace>
  );
}
