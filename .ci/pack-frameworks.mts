// What a user of other frameworks than React writes, for tsc with strict types.
import { createCollection } from "@tanstack/db";
import { createSpaceClient } from "spacefeed";
import * as solid from "spacefeed/solid";
import * as svelte from "spacefeed/svelte";
import { spacefeedCollectionOptions } from "spacefeed/tanstack-db";
import * as vue from "spacefeed/vue";

declare module "spacefeed" {
  interface Entities {
    task: { id: string; title: string };
  }
}
const tasks = createCollection(
  spacefeedCollectionOptions({ client: createSpaceClient({ spaceId: "a" }), type: "task" }),
);
export const title: string | undefined = tasks.get("1")?.title;
export const a: string | undefined = vue.useEntity("a", "task", "1").value?.title;
export const b: string | undefined = svelte.useEntity("a", "task", () => "1").current?.title;
export const c: string | undefined = solid.useEntities(() => "a", "task")[0]?.title;
export const d: string[] = vue.useSpaceData<string>("a").utterances.value.flatMap(({ content }) => content);
export const e: Promise<unknown> = solid.useSpaceData("a").createEntity("task", { title: "x" });
// @ts-expect-error there is no such column
void svelte.useSpaceData("a").createEntity("task", { no: "x" });
