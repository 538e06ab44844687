import { base64url, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import type { Relay } from "../../../src/server/relay.js";
import { useDatabase } from "../../support/postgres/database.js";
import { Session } from "../../support/postgres/session.js";
import { startTestRelay, useRelay } from "../../support/relay/relay.js";
import { Issuer, SECRET, tokenOf, tokensBy } from "../../support/relay/token.js";

const db = useDatabase();
const secret = useRelay(db, {
  tokens: tokensBy({ AUTH_JWT_SECRET: SECRET, AUTH_AUDIENCE: "spacefeed", AUTH_ISSUER: "us" }),
});
const good = { iss: "us", aud: "spacefeed" };
let issuer: Issuer;
let byKeys: Relay;
let byDiscovery: Relay;

beforeAll(async () => {
  issuer = await Issuer.start();
  byKeys = await startTestRelay(db, { tokens: tokensBy({ AUTH_JWKS_URL: `${issuer.url}/keys` }) });
  byDiscovery = await startTestRelay(db, { tokens: tokensBy({ AUTH_ISSUER: issuer.url }) });
  const session = await Session.open(db);
  await session.run("insert into beings (id, type) values ('hall', 'space')");
});
afterAll(async () => {
  vi.useRealTimers();
  await byKeys?.close();
  await byDiscovery?.close();
  await issuer?.close();
});

const ask = (relay: Relay, token?: string, path = "/api/sync?spaceId=hall", init: RequestInit = {}) =>
  fetch(new URL(path, relay.url), {
    ...init,
    headers: { ...init.headers, ...(token !== undefined && { Authorization: `Bearer ${token}` }) },
  });

/** So many seconds pass for what looks at the clock, which never goes back: the relays go on in the next test. */
function later(seconds: number): void {
  vi.setSystemTime(Date.now() + seconds * 1000);
}

/** It is 401, in the form of every error, and says what to do. */
async function expectRefused(response: Response, error: RegExp = /Authorization: Bearer/): Promise<void> {
  expect([response.status, response.headers.get("WWW-Authenticate")]).toEqual([
    401,
    'Bearer realm="spacefeed"',
  ]);
  const body = (await response.json()) as { error: string };
  expect(body).toMatchObject({ success: false, code: "unauthorized" });
  expect(body.error).toMatch(error);
}

test("without a token nothing of the API answers, and everything says what to do", async () => {
  await expectRefused(await ask(secret.current));
  await expectRefused(await ask(secret.current, undefined, "/api/stream?spaceId=hall"));
  for (const path of ["/api/beings", "/api/intentions"]) {
    const body = '{"action":"list","spaceId":"hall"}';
    await expectRefused(await ask(secret.current, undefined, path, { method: "POST", body }));
  }
  await expectRefused(await ask(secret.current, undefined, "/api/nothing"));
});

test("what is about the relay itself needs no token", async () => {
  for (const path of ["/healthz", "/readyz", "/metrics", "/openapi.json"]) {
    expect((await ask(secret.current, undefined, path)).status).toBe(200);
  }
});

test("a token that the secret has signed is let in", async () => {
  expect((await ask(secret.current, await tokenOf("ada", good))).status).toBe(200);
  const lower = await fetch(`${secret.current.url}/api/sync?spaceId=hall`, {
    headers: { Authorization: `bearer  ${await tokenOf("ada", good)} ` },
  });
  expect(lower.status).toBe(200);
});

const now = () => Math.floor(Date.now() / 1000);
test.each<[string, () => JWTPayload, RegExp]>([
  ["has expired", () => ({ ...good, exp: now() - 60 }), /expired/],
  ["does not say when it expires", () => ({ ...good, exp: undefined }), /exp/],
  ["is not valid yet", () => ({ ...good, nbf: now() + 60 }), /nbf/],
  ["is for somebody else", () => ({ ...good, aud: "others" }), /aud/],
  ["is for nobody", () => ({ iss: "us" }), /aud/],
  ["is of another issuer", () => ({ ...good, iss: "them" }), /iss/],
  ["is of no issuer", () => ({ aud: "spacefeed" }), /iss/],
  ["stands for nobody", () => ({ ...good, sub: undefined }), /sub/],
  ["has what no database stores", () => ({ ...good, name: "a\u0000b" }), /NUL/],
  ["has half a character", () => ({ ...good, list: [{ name: "\ud800" }] }), /surrogate/],
  ["stands for what cannot be a being", () => ({ ...good, sub: "a\nb" }), /sub/],
])("a token that %s is refused", async (_, claims, error) => {
  await expectRefused(await ask(secret.current, await tokenOf("ada", claims())), error);
});

test.each([0, -1])("clocks may differ by some seconds: %s", async (seconds) => {
  expect((await ask(secret.current, await tokenOf("ada", good, seconds))).status).toBe(200);
});

test("a token that is none, has no signature, another one, or another secret's, is refused", async () => {
  const token = await tokenOf("ada", good);
  const [head, payload] = token.split(".");
  const none = base64url.encode('{"alg":"none"}');
  const forged = base64url.encode(JSON.stringify({ ...good, sub: "eve", exp: now() + 600 }));
  const others = await new SignJWT({ sub: "ada", ...good, exp: now() + 600 })
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(`${SECRET} `));
  const other = await new SignJWT({ sub: "ada", ...good, exp: now() + 600 })
    .setProtectedHeader({ alg: "HS512" })
    .sign(new TextEncoder().encode(SECRET));
  const bad = ["x", "a.b.c", `${head}.${payload}.`, `${none}.${payload}.`, `${none}.${payload}`];
  for (const each of [...bad, `${head}.${forged}.${token.split(".")[2]}`, others, other]) {
    await expectRefused(await ask(secret.current, each));
  }
  await expectRefused(await ask(secret.current, ""));
  await expectRefused(
    await fetch(`${secret.current.url}/api/sync?spaceId=hall`, { headers: { Authorization: "Basic YTpi" } }),
  );
});

test.each(["keys", "discovery"])("a token of an issuer is let in by its %s", async (by) => {
  const relay = by === "keys" ? byKeys : byDiscovery;
  expect((await ask(relay, await issuer.token("ada"))).status).toBe(200);
  expect(issuer.asked).toContain(by === "keys" ? "/keys" : "/.well-known/openid-configuration");
  await expectRefused(await ask(relay, await tokenOf("ada")));
});

test("with discovery the issuer is the expected one", async () => {
  await expectRefused(await ask(byDiscovery, await issuer.token("ada", { iss: "https://elsewhere" })), /iss/);
});

test("a public key is not taken for a secret", async () => {
  const { kid, ...key } = issuer.publicKey;
  for (const secret of [
    JSON.stringify(issuer.publicKey),
    JSON.stringify(key),
    key.x as string,
    key.y as string,
  ]) {
    const token = await new SignJWT({ sub: "eve", iss: issuer.url, exp: now() + 600 })
      .setProtectedHeader({ alg: "HS256", ...(kid !== undefined && { kid }) })
      .sign(new TextEncoder().encode(secret));
    await expectRefused(await ask(byKeys, token));
  }
});

test.each(["ES256", "RS256", "EdDSA"])(
  "the issuer changes its key, also to another kind: the new one is found, the old one refused (%s)",
  async (alg) => {
    const before = await issuer.token("ada");
    await issuer.rotate(alg);
    const after = await issuer.token("ada");
    later(40);
    expect((await ask(byKeys, after)).status).toBe(200);
    await expectRefused(await ask(byKeys, before));
  },
);

test("an issuer that is down is not asked for each token, and the keys that are known hold for a day", async () => {
  const down = await Issuer.start();
  const relay = await startTestRelay(db, { tokens: tokensBy({ AUTH_JWKS_URL: `${down.url}/keys` }) });
  onTestFinished(async () => {
    await relay.close();
    await down.close();
  });
  const status = async (token: string) => (await ask(relay, token)).status;
  const known = () => down.token("ada");
  const forged = (kid: string) =>
    new SignJWT({ sub: "eve", exp: now() + 600 })
      .setProtectedHeader({ alg: "ES256", kid })
      .sign(others.privateKey);
  const others = await generateKeyPair("ES256");
  expect([await status(await known()), await status(await forged("a"))]).toEqual([200, 401]);
  down.isDown = true;
  down.asked.length = 0;
  later(40);
  for (const kid of ["b", "c", "d", "e"]) {
    expect([await status(await forged(kid)), await status(await known())]).toEqual([503, 200]);
  }
  expect(down.asked).toEqual(["/keys"]);
  later(23 * 3600);
  for (let i = 0; i < 3; i++) expect(await status(await known())).toBe(200);
  expect(down.asked.length).toBe(2);
  later(3600);
  expect(await status(await known())).toBe(503);
  down.isDown = false;
  later(10);
  expect(await status(await known())).toBe(200);
});

test("a key that its issuer has taken back is refused by a relay that has slept", async () => {
  expect((await ask(byKeys, await issuer.token("ada"))).status).toBe(200);
  later(3600);
  const old = await issuer.token("ada");
  await issuer.rotate();
  await expectRefused(await ask(byKeys, old));
});

test("discovery that fails is not tried again for each token", async () => {
  const down = await Issuer.start();
  down.isDown = true;
  const relay = await startTestRelay(db, { tokens: tokensBy({ AUTH_ISSUER: down.url }) });
  onTestFinished(async () => {
    await relay.close();
    await down.close();
  });
  for (let i = 0; i < 3; i++) expect((await ask(relay, await down.token("ada"))).status).toBe(503);
  expect(down.asked.length).toBe(1);
  down.isDown = false;
  later(10);
  expect((await ask(relay, await down.token("ada"))).status).toBe(200);
});

test.each(["AUTH_JWKS_URL", "AUTH_ISSUER"])(
  "while the keys of %s are not to be had nobody is let in, and it is no fault of the token",
  async (name) => {
    const gone = await Issuer.start();
    const token = await gone.token("ada");
    await gone.close();
    const relay = await startTestRelay(db, { tokens: tokensBy({ [name]: gone.url }) });
    try {
      const response = await ask(relay, token);
      expect([response.status, response.headers.get("Retry-After")]).toEqual([
        503,
        expect.stringMatching(/^[1-3]$/),
      ]);
      expect(await response.json()).toMatchObject({ code: "unavailable" });
      await expectRefused(await ask(relay));
    } finally {
      await relay.close();
    }
  },
);

test.each(["token", "access_token", "id_token", "jwt"])(
  "a token in an address is refused, with or without tokens, and where it belongs is said: %s",
  async (name) => {
    const open = await startTestRelay(db);
    try {
      for (const relay of [open, secret.current]) {
        const token = await tokenOf("ada", good);
        for (const path of ["/api/stream", "/api/sync", "/api/beings"]) {
          const response = await ask(relay, token, `${path}?spaceId=hall&${name}=${token}`);
          const text = await response.text();
          expect([response.status, JSON.parse(text).code]).toEqual([400, "invalid"]);
          expect(text).toContain("Authorization: Bearer");
          expect(text).not.toContain(token);
        }
      }
    } finally {
      await open.close();
    }
  },
);

test("the claim that says who it is can be another one", async () => {
  const tokens = tokensBy({ AUTH_JWT_SECRET: SECRET, AUTH_BEING_CLAIM: "username" });
  const relay = await startTestRelay(db, { tokens });
  try {
    await expectRefused(await ask(relay, await tokenOf("17")), /username/);
    const token = await tokenOf("17", { username: "ada", being: "eve" });
    const created = await ask(relay, token, "/api/intentions", {
      method: "POST",
      body: '{"action":"create","spaceId":"hall"}',
    });
    expect(await created.json()).toMatchObject({ data: { ownerId: "ada" } });
  } finally {
    await relay.close();
  }
});
