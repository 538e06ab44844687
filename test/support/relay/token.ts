import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import type { TokenConfig } from "../../../src/server/auth/token.js";
import { readConfig } from "../../../src/server/config.js";
import type { Session } from "../postgres/session.js";

/** A secret that is long enough. */
export const SECRET = "a secret of thirty-two characters or more";

/** The settings of a relay that lets tokens in, as the environment would make them. */
export function tokensBy(env: Record<string, string>): TokenConfig {
  const { tokens } = readConfig(env);
  if (!tokens) throw new Error("these settings switch no tokens on");
  return tokens;
}

/** A token signed with {@link SECRET}, good for `seconds`. */
export function tokenOf(sub: string, claims: JWTPayload = {}, seconds = 600): Promise<string> {
  return new SignJWT({ sub, exp: Math.floor(Date.now() / 1000) + seconds, ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(SECRET));
}

/** The header of whoever is called so. */
export async function as(sub: string, claims: JWTPayload = {}, seconds = 600) {
  return { Authorization: `Bearer ${await tokenOf(sub, claims, seconds)}` };
}

/** The DBA's own sync.authorize(), in SQL. */
export function decideBy(session: Session, sql: string): Promise<void> {
  return session.run(
    `create or replace function sync.authorize(claims jsonb, action text, space_id text, entity jsonb)
     returns boolean language sql stable set search_path = '' as $$ ${sql} $$`,
  );
}

/** An issuer of tokens, with its keys at an address, and OpenID Connect discovery. */
export class Issuer {
  #keys: { kid: string; alg: string; privateKey: CryptoKey; jwk: JWK }[] = [];
  #made = 0;
  /** It answers, but has no keys to give. */
  isDown = false;
  /** What is asked of it, by path. */
  readonly asked: string[] = [];

  private constructor(
    readonly url: string,
    readonly server: Server,
  ) {}

  static async start(): Promise<Issuer> {
    const server = createServer((request, response) => {
      issuer.asked.push(request.url ?? "");
      const answers: Record<string, object> = {
        "/keys": { keys: issuer.#keys.map(({ jwk }) => jwk) },
        "/.well-known/openid-configuration": { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` },
      };
      const answer = issuer.isDown ? undefined : answers[request.url ?? ""];
      response.writeHead(answer ? 200 : 404, { "Content-Type": "application/json" });
      response.end(JSON.stringify(answer ?? {}));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const issuer = new Issuer(`http://127.0.0.1:${port}`, server);
    await issuer.rotate();
    return issuer;
  }

  /** New keys; the old ones are gone. */
  async rotate(alg = "ES256"): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const kid = `key-${++this.#made}`;
    this.#keys = [{ kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg } }];
  }

  /** The public key, as anybody can read it. */
  get publicKey(): JWK {
    return (this.#keys[0] as { jwk: JWK }).jwk;
  }

  async token(sub: string, claims: JWTPayload = {}): Promise<string> {
    const { kid, alg, privateKey } = this.#keys[0] as { kid: string; alg: string; privateKey: CryptoKey };
    return new SignJWT({ sub, iss: this.url, exp: Math.floor(Date.now() / 1000) + 600, ...claims })
      .setProtectedHeader({ alg, kid })
      .sign(privateKey);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }
}
