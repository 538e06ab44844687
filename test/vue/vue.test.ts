import vue from "@vitejs/plugin-vue";
import { expect, test } from "vitest";
import { createSSRApp, h } from "vue";
import { renderToString } from "vue/server-renderer";
import { useEntities, useEntity, useSpaceData } from "../../src/vue/index.js";
import { testBinding } from "../support/browser/binding.js";

testBinding("vue", [vue()], new URL("./page.ts", import.meta.url));

test("on a server it renders as not known yet, and opens nothing", async () => {
  const Room = () => {
    const { mode, beings } = useSpaceData("hall");
    const rows = useEntities("hall", "task");
    return h("p", [
      mode.value,
      beings.value.length,
      rows.value.length,
      `${useEntity("hall", "task", "1").value}`,
    ]);
  };
  expect(await renderToString(createSSRApp({ setup: () => Room }))).toBe("<p>opening00undefined</p>");
});
