import { render } from "@solidjs/testing-library";
import Room from "room";
import { createSignal, type JSX } from "solid-js";
import { offerRooms } from "../support/browser/rooms.js";

offerRooms((first) => {
  const [spaceId, change] = createSignal(first);
  // In Solid a prop that changes is a getter.
  const props = {
    get spaceId() {
      return spaceId();
    },
  };
  const { unmount } = render(() => (Room as (given: typeof props) => JSX.Element)(props));
  return { change, unmount };
});
