import { svelte } from "@sveltejs/vite-plugin-svelte";
import { expect, test } from "vitest";
import { useEntities, useEntity, useSpaceData } from "../../src/svelte/index.js";
import { testBinding } from "../support/browser/binding.js";

testBinding("svelte", svelte({ configFile: false }), new URL("./page.ts", import.meta.url));

// Outside of a browser `svelte/reactivity` is the one for servers, also here.
test("on a server it is as not known yet, and opens nothing", () => {
  const hall = useSpaceData("hall");
  expect([hall.mode, hall.beings, useEntities("hall", "task").current]).toEqual(["opening", [], []]);
  expect(useEntity("hall", "task", () => "1").current).toBeUndefined();
});
