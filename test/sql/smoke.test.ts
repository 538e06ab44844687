import { expect, test } from "vitest";
import { useDatabase } from "../support/database.js";

const db = useDatabase();
test("verify", async () => {
  const c = await db.connect();
  await c.query("insert into beings (id, type) values ('lobby', 'space')");
  expect((await c.query("select version::int from sync.snapshot('lobby')")).rows).toEqual([{ version: 1 }]);
});
