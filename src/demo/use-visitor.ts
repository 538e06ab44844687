import { useEffect, useState } from "react";
import { SpacefeedError } from "../client/index.js";
import { useBeing, useSpaceData } from "../react/index.js";
import type { DemoSpace } from "./spaces.js";
import { beingOf, recall, remember } from "./visitor.js";

/**
 * Lets the visitor into a space: makes a being at the first time, and brings the name along that was chosen in
 * another space since. The ID of that being.
 */
export function useVisitor(space: DemoSpace): string {
  const [visitor] = useState(recall);
  const id = beingOf(visitor, space.id);
  const being = useBeing(space.id, id);
  const { data, mode, createBeing, updateBeing, dismissError } = useSpaceData(space.id);
  const [hasEntered, setHasEntered] = useState(false);

  // What is kept from the last visit may be old: who is here is known when there is a connection.
  const mayEnter = data !== null && mode !== "cache" && !hasEntered;
  useEffect(() => {
    if (!mayEnter) return;
    setHasEntered(true);
    const { name } = visitor;
    if (being && being.name !== name) void updateBeing(id, { name });
    if (being) return;
    createBeing({ id, type: "guest", name }).catch((error) => {
      // It is here after all, under a name that somebody else has given it.
      if (error instanceof SpacefeedError && error.code === "conflict") dismissError();
    });
  }, [mayEnter, visitor, being, id, createBeing, updateBeing, dismissError]);

  const name = being?.name;
  useEffect(() => {
    if (hasEntered && name) remember({ ...visitor, name });
  }, [hasEntered, name, visitor]);

  return id;
}
