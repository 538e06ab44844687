import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { Session } from "../../support/postgres/session.js";
import { post, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const db = useDatabase();
const relay = useRelay(db);
const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

test("what SQL has nested as deep as Postgres can is streamed, and a change that goes deeper still is refused", async () => {
  const session = await Session.open(db);
  const spaceId = await newSpace(relay.current);
  const stream = await openStream(streamUrl(relay.current.url, spaceId));
  await stream.until((events) => events.length === 1);
  let [deepest, tooDeep] = [64, 200_000];
  while (tooDeep - deepest > 1) {
    const depth = Math.floor((deepest + tooDeep) / 2);
    const state = await session.refusal("select $1::jsonb", [nested(depth)]);
    if (state === undefined) deepest = depth;
    else tooDeep = depth;
  }
  await session.query("insert into intentions (id, location_id, content) values ('deep', $1, $2)", [
    spaceId,
    nested(deepest),
  ]);
  await stream.until((events) => events.length === 2);
  // The text, since JSON.stringify goes less deep.
  const made = stream.messages.find(({ data }) => data.includes("intention-created"));
  expect(made?.data.includes(`"content":${nested(deepest)},`)).toBe(true);

  const ask = (action: string, more = {}) =>
    post(relay.current, "intentions", { action, intentionId: "deep", ...more });
  expect((await ask("get")).status).toBe(200);
  for (const refused of [await ask("update", { data: { name: "n" } }), await ask("delete")]) {
    expect(refused).toMatchObject({
      status: 400,
      body: { code: "invalid", error: "stack depth limit exceeded" },
    });
  }
  await session.query("delete from intentions where id = 'deep'");
  const [, , gone] = await stream.until((events) => events.length === 3);
  expect(gone).toMatchObject({ type: "intention-deleted", id: "deep", version: 3 });
  stream.close();
});
