/** What a test does with the page of a framework. */
interface Rooms {
  /** Shows a room for each of the spaces; where there was one, it has another space now. */
  show(...spaceIds: string[]): void;
}

declare global {
  interface Window {
    rooms: Rooms;
  }
}

/** Lets tests show rooms, as the framework's own test renderer mounts them. */
export function offerRooms(
  mount: (spaceId: string) => { change(spaceId: string): unknown; unmount(): void },
) {
  const shown: ReturnType<typeof mount>[] = [];
  window.rooms = {
    show: (...spaceIds) => {
      for (const room of shown.splice(spaceIds.length)) room.unmount();
      for (const [index, spaceId] of spaceIds.entries()) {
        if (shown[index]) shown[index].change(spaceId);
        else shown.push(mount(spaceId));
      }
    },
  };
}
