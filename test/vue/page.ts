import { render } from "@testing-library/vue";
import Room from "room";

const shown: { rerender(props: object): Promise<void>; unmount(): void }[] = [];

window.rooms = {
  show: (...spaceIds) => {
    for (const room of shown.splice(spaceIds.length)) room.unmount();
    for (const [index, spaceId] of spaceIds.entries()) {
      if (shown[index]) void shown[index].rerender({ spaceId });
      else shown.push(render(Room, { props: { spaceId } as never }));
    }
  },
};
