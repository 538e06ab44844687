import { get } from "node:http";

const PATIENCE_MS = 20_000;
const TEXT = "lorem ipsum dolor ".repeat(12).slice(0, 200);
/** The spaces whose bytes are counted, and what the documents promise for their changes. */
const SPACES = [
  { id: "wire-small", beings: 20, messages: 100 },
  { id: "wire-large", beings: 50, messages: 1_000 },
];
const CHANGES = [
  {
    change: "a new message",
    promised: 50,
    sql: "insert into public.intentions (location_id, owner_id, content) values ($1::text, $1::text || '-1', $2)",
    values: (id) => [id, JSON.stringify([TEXT])],
  },
  {
    change: "a profile changes",
    promised: 100,
    sql: "update public.beings set name = name || '!' where id = $1",
    values: (id) => [`${id}-1`],
  },
];

/** Reads a stream until its text is enough, and leaves it: {text, ms}. */
export function readUntil(url, headers, isEnough) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    let text = "";
    const request = get(
      url,
      { agent: false, headers: { Accept: "text/event-stream", ...headers } },
      (response) => {
        response.setEncoding("utf8");
        response.on("error", () => {});
        response.on("data", (chunk) => {
          text += chunk;
          if (!text.endsWith("\n\n") || !isEnough(text)) return;
          resolve({ text, ms: performance.now() - started });
          clearTimeout(timer);
          request.destroy();
        });
      },
    );
    const timer = setTimeout(() => {
      reject(new Error(`the stream did not say what it should: ${text.slice(0, 200)}`));
      request.destroy();
    }, PATIENCE_MS);
    request.on("error", reject);
  });
}

/** The bytes of each change, as an event and as the complete state. */
export async function sizesOf(client, relayUrl) {
  const sizes = [];
  for (const { id, beings, messages } of SPACES) {
    await client.query(
      `insert into public.beings (id, type, location_id, name, content)
       select $1::text || case n when 0 then '' else '-' || n end, case n when 0 then 'space' else 'guest' end, $1::text,
         'Guest ' || n, $3::jsonb
       from generate_series(0, $2::int) n`,
      [id, beings, JSON.stringify([TEXT])],
    );
    await client.query(
      `insert into public.intentions (location_id, owner_id, content)
       select $1, $1 || '-' || n % 20, $3::jsonb from generate_series(1, $2::int) n`,
      [id, messages, JSON.stringify([TEXT])],
    );
    for (const { change, promised, sql, values } of CHANGES) {
      const event = await bytesAfter(`${relayUrl}/api/stream?spaceId=${id}`, () =>
        client.query(sql, values(id)),
      );
      const state = await bytesAfter(`${relayUrl}/api/sync?spaceId=${id}`, () =>
        client.query(sql, values(id)),
      );
      const space = `${messages.toLocaleString("en-US")} messages, ${beings} beings`;
      sizes.push({ space, change, promised, event, state });
    }
  }
  return sizes;
}

/** The bytes of the block that comes after a change, without heartbeats. */
async function bytesAfter(url, makeChange) {
  let changing;
  const blocks = (text) => text.split("\n\n").filter((block) => /^data: |^id: /.test(block));
  const { text } = await readUntil(url, {}, (soFar) => {
    const count = blocks(soFar).length;
    if (count === 1) changing ??= makeChange();
    return count === 2;
  });
  await changing;
  return Buffer.byteLength(`${blocks(text)[1]}\n\n`);
}
