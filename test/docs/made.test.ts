import { expect, test } from "vitest";
import { listSettings } from "../../src/server/settings.js";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { settingsPage } from "./settings-page.js";
import { sqlPage } from "./sql-page.js";

// `npm run docs` makes both pages anew: it is this file, with the leave to write them.

const db = useDatabase();
const session = useSession(db);

test("docs/sql.md says what the comments in sql/ say: npm run docs makes it", async () => {
  await expect(await sqlPage((text) => session.query(text))).toMatchFileSnapshot("../../docs/sql.md");
});

test("docs/settings.md says what src/server/settings.ts says: npm run docs makes it", async () => {
  await expect(settingsPage()).toMatchFileSnapshot("../../docs/settings.md");
});

test("every setting has a sentence", () => {
  const silent = listSettings().filter(({ sentence }) => !sentence.endsWith("."));
  expect(silent).toEqual([]);
});
