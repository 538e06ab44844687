import { expect, onTestFinished, test } from "vitest";
import { createSpaceClient } from "../../src/client/index.js";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db);
const s = useSession(db);

test("an answer that grows costs little more than itself, and every reader has it whole", async () => {
  const spaceId = await newSpace(relay.current);
  await s.query(
    "insert into public.intentions (id, location_id, state, content) values ('ai', $1, 'active', '[\"\"]')",
    [spaceId],
  );
  let bytes = 0;
  const counting: typeof fetch = async (...request) => {
    const response = await fetch(...request);
    const counter = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.length;
        controller.enqueue(chunk);
      },
    });
    return new Response(response.body?.pipeThrough(counter), response);
  };
  const clients = [counting, fetch].map((fetch) =>
    createSpaceClient<string>({ spaceId, url: relay.current.url, fetch }),
  );
  onTestFinished(() => {
    for (const client of clients) client.close();
  });
  const textOf = (client: (typeof clients)[number]) => client.getIntention("ai")?.content[0];
  for (const client of clients) await expect.poll(() => textOf(client)).toBe("");

  let answer = "";
  for (let n = 0; n < 200; n++) {
    answer += `word ${n} 🌍 `;
    await s.query("update public.intentions set content = jsonb_build_array($2::text) where id = $1", [
      "ai",
      answer,
    ]);
  }
  await s.run("update public.intentions set state = 'complete' where id = 'ai'");
  for (const client of clients) await expect.poll(() => client.getIntention("ai")?.state).toBe("complete");
  for (const client of clients) expect(textOf(client)).toBe(answer);
  const [stored] = await s.query(
    "select sync.intention_json(i.*) as json from public.intentions i where id = 'ai'",
  );
  expect(clients.map((client) => client.getIntention("ai"))).toEqual([stored?.json, stored?.json]);
  // Whole it would be some 400,000 bytes: each update the answer as it is then.
  expect(bytes).toBeLessThan(100_000);
});

test("a reader who has missed something gets the row whole", async () => {
  const spaceId = await newSpace(relay.current);
  await s.query("insert into public.intentions (id, location_id, content) values ('cut', $1, '[\"a\"]')", [
    spaceId,
  ]);
  const client = createSpaceClient<string>({ spaceId, url: relay.current.url });
  onTestFinished(() => client.close());
  const text = () => client.getIntention("cut")?.content[0];
  await expect.poll(text).toBe("a");
  for (const now of ["ab", "abc", "x", "xy"]) {
    await s.query("update public.intentions set content = jsonb_build_array($2::text) where id = $1", [
      "cut",
      now,
    ]);
    await expect.poll(text).toBe(now);
  }
});
