import { expect, test } from "vitest";
import { show, useStage } from "./stage.js";

const stage = useStage();

test("who belongs to a space is a list with a name; documents only when they are asked for", async () => {
  const spaceId = await stage.newSpace();
  await stage.join(spaceId, "ada");
  await stage.join(spaceId, "Robby", "bot");
  await stage.join(spaceId, "Minutes", "document");
  const page = await stage.open({ parts: [{ what: "BeingPresence", spaceId, className: "mine" }] });
  const list = page.getByRole("list", { name: "Who belongs here" });
  const items = () =>
    list.getByRole("listitem").evaluateAll((all) =>
      all.map((item) => {
        const part = (name: string) => item.querySelector(`.sf-being-${name}`)?.textContent;
        return [part("initial"), part("name"), part("type"), (item as HTMLElement).dataset.type].join(" ");
      }),
    );
  await expect.poll(items).toEqual(["? Unnamed space space", "A ada guest guest", "R Robby bot bot"]);
  expect(await list.getAttribute("class")).toBe("sf-presence mine");
  expect(await page.locator(".sf-being-initial:not([aria-hidden=true])").count()).toBe(0);

  await stage.session.query("update public.beings set name = 'Grace' where id = $1", [`ada in ${spaceId}`]);
  await stage.session.query("delete from public.beings where id = $1", [`robby in ${spaceId}`]);
  await expect.poll(items).toEqual(["? Unnamed space space", "G Grace guest guest"]);

  const part = { what: "BeingPresence" as const, spaceId, types: ["document" as const], label: "Papers" };
  await show(page, { parts: [part] });
  await expect
    .poll(() => page.getByRole("list", { name: "Papers" }).getByRole("listitem").allTextContents())
    .toEqual(["MMinutesdocument"]);
});
