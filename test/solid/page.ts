import { render } from "@solidjs/testing-library";
import Room from "room";
import type { JSX } from "solid-js";
import { createSignal } from "solid-js";

const shown: { change(spaceId: string): void; unmount(): void }[] = [];

/** In Solid a prop that changes is a getter. */
function mount(first: string) {
  const [spaceId, change] = createSignal(first);
  const props = {
    get spaceId() {
      return spaceId();
    },
  };
  const { unmount } = render(() => (Room as (given: typeof props) => JSX.Element)(props));
  return { change, unmount };
}

window.rooms = {
  show: (...spaceIds) => {
    for (const room of shown.splice(spaceIds.length)) room.unmount();
    for (const [index, spaceId] of spaceIds.entries()) {
      if (shown[index]) shown[index].change(spaceId);
      else shown.push(mount(spaceId));
    }
  },
};
