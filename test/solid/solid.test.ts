import { renderToString } from "solid-js/web";
import solid from "vite-plugin-solid";
import { expect, test } from "vitest";
import { useEntities, useEntity, useSpaceData } from "../../src/solid/index.js";
import { testBinding } from "../support/browser/binding.js";

testBinding("solid", [solid()], new URL("./page.ts", import.meta.url));

// Outside of a browser `solid-js` is the one for servers, also here.
test("on a server it renders as not known yet, and opens nothing", () => {
  const Room = () => {
    const { mode, beings } = useSpaceData("hall");
    return `${[mode, beings.length, useEntities("hall", "task").length, useEntity("hall", "task", "1")()]}`;
  };
  expect(renderToString(Room)).toBe("opening,0,0,");
});
