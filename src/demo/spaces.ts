/** The spaces of the demo. Their names are the database's from then on: whoever renames one is not overruled. */
export const SPACES = [
  { id: "lobby", name: "The lobby" },
  { id: "workshop", name: "Workshop" },
] as const;

export type DemoSpace = (typeof SPACES)[number];

/** A being is in one space: the bot is one in each, with one name. */
export const BOT = { name: "Pip", idIn: (spaceId: string) => `pip-${spaceId}` } as const;
