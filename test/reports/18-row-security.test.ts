import { beforeAll, expect, test } from "vitest";
import { migrate } from "../../src/server/postgres/migrate.js";
import { useDatabase } from "../support/postgres/database.js";
import { useEmptyDatabases } from "../support/postgres/empty-database.js";
import { urlAs, useRoles } from "../support/postgres/roles.js";
import { Session } from "../support/postgres/session.js";
import { faults, versionOf } from "../support/relay/feed.js";

const [OWNER, WRITER] = useRoles("owner", "writer") as [string, string];
const db = useDatabase();
const emptyDatabase = useEmptyDatabases(db);
let s: Session;

/** A schema that belongs to a role that is no superuser; the session is a superuser's. */
beforeAll(async () => {
  const { url, client } = await emptyDatabase();
  s = await Session.open({ url, connect: async () => client });
  await s.run(
    `alter database ${new URL(url).pathname.slice(1)} owner to ${OWNER}`,
    `grant create on schema public to ${OWNER}`,
  );
  await migrate(urlAs(url, OWNER), "up");
  await s.run(
    `grant select, insert, update, delete on beings, intentions to ${WRITER}`,
    "insert into intentions (id, location_id) values ('before', 'hall')",
    "alter table intentions enable row level security",
    `create policy writers on intentions to ${WRITER} using (true) with check (true)`,
  );
});

const byWriter = (statement: string) =>
  s.outcome(`set role ${WRITER}`).then(async () => {
    const { error } = await s.outcome(statement);
    await s.run("reset role");
    return error;
  });
const shown = async () => {
  const rows = await s.query(
    "select json_array_elements(intentions) ->> 'id' as id from sync.snapshot('hall')",
  );
  return rows.map(({ id }) => id);
};
const told = () => s.query("select code, message, remedy from sync.warnings()");

test("18: row-level security that is enabled and not forced hides nothing from readers, whoever writes", async () => {
  expect(
    await byWriter("insert into intentions (id, location_id) values ('not forced', 'hall')"),
  ).toBeUndefined();
  expect(await shown()).toEqual(["before", "not forced"]);
  expect([await faults(s), await told()]).toEqual([[], []]);
});

test("18: where it is forced nothing counts as deleted and no snapshot is empty: what is written waits, and who reads gets an error that says why, until the line of sync.warnings() is run", async () => {
  await s.run("alter table intentions force row level security");
  const version = await versionOf(s, "hall");
  for (const statement of [
    "insert into intentions (id, location_id) values ('forced', 'hall')",
    "update intentions set state = 'failed' where id = 'before'",
    "begin; update intentions set state = 'failed'; commit",
    "select 1 from intentions",
  ]) {
    expect([statement, await byWriter(statement)]).toEqual([statement, undefined]);
  }
  const [recorded] = await s.query("select failed, reason from sync.record()");
  expect(recorded).toEqual({
    failed: ["hall"],
    reason: expect.stringMatching(/^42501: .*row-level security/),
  });
  for (const question of [
    "sync.snapshot('hall')",
    "sync._list('intention', 'hall', 10)",
    "sync.read(null, 'intention', 'before', null)",
    "sync.changes_since('{hall}', '{0}', 10)",
    "sync.resolve_cursor('hall', 'msg_1')",
    "sync.verify()",
    "sync.reset()",
  ]) {
    const { error } = await s.outcome(`select * from ${question}`);
    expect([question, error?.code, error?.message]).toEqual([
      question,
      "42501",
      expect.stringMatching(/row-level security/),
    ]);
  }
  const [warning] = await told();
  expect(warning).toMatchObject({
    code: "row_security",
    message: expect.stringMatching(`intentions holds for ${OWNER}`),
  });

  await s.query(String(warning?.remedy));
  expect(await told()).toEqual([]);
  expect(await versionOf(s, "hall")).toBe(version);
  await s.run("select sync.record()");
  expect(await versionOf(s, "hall")).toBe(version + 1);
  expect(await shown()).toEqual(["before", "not forced", "forced"]);
  expect(await faults(s)).toEqual([]);
});

test("18: where it is forced and the owner of the functions may see all rows, all works", async () => {
  await s.run("alter table intentions force row level security", `alter role ${OWNER} bypassrls`);
  expect(await told()).toEqual([]);
  expect(
    await byWriter("insert into intentions (id, location_id) values ('bypassed', 'hall')"),
  ).toBeUndefined();
  expect(await byWriter("delete from intentions where id = 'not forced'")).toBeUndefined();
  expect(await shown()).toEqual(["before", "forced", "bypassed"]);
  expect(await faults(s)).toEqual([]);
});

test("18: what a relay may write is for sync.authorize() to say: it has no right on a table, and row policies are not asked", async () => {
  await s.run("set role spacefeed_relay");
  const { error } = await s.outcome("insert into intentions (id, location_id) values ('denied', 'hall')");
  await s.run(
    `select sync.write(null, 'create', 'intention', 'by a relay', null, '{"locationId":"hall"}')`,
    "reset role",
  );
  expect(error?.code).toBe("42501");
  expect(await shown()).toEqual(["before", "forced", "bypassed", "by a relay"]);
});
