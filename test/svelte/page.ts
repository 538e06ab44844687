import { render } from "@testing-library/svelte";
import Room from "room";
import { offerRooms } from "../support/browser/rooms.js";

offerRooms((spaceId) => {
  const { rerender, unmount } = render(Room, { props: { spaceId } as never });
  return { change: (spaceId) => rerender({ spaceId } as never), unmount };
});
