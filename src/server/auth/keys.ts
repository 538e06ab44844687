import {
  createRemoteJWKSet,
  customFetch,
  type ExportedJWKSCache,
  type JWTVerifyGetKey,
  jwksCache,
} from "jose";

const KEYS_TIMEOUT_MS = 5_000;
/** A key that is not known is looked for again, but not more often; after a failure, anything is. */
const KEYS_PAUSE_MS = 30_000;
const KEYS_RETRY_MS = 5_000;
/** Keys of that age are asked for again. While they cannot be had, the old ones hold, but no longer than a day. */
const KEYS_FRESH_MS = 10 * 60_000;
const KEYS_HELD_MS = 24 * 3_600_000;

/** The keys at `jwksUrl`, or else those that the issuer names by OpenID Connect discovery. */
export function publicKeys(jwksUrl: string | undefined, issuer: string | undefined): JWTVerifyGetKey {
  if (jwksUrl !== undefined) return keysAt(jwksUrl);
  const ask = paced();
  let found: Promise<JWTVerifyGetKey> | undefined;
  return async (header, token) => {
    found ??= discover(issuer as string, ask).then(keysAt);
    const keys = await found.catch((error) => {
      found = undefined;
      throw error;
    });
    return keys(header, token);
  };
}

function keysAt(url: string): JWTVerifyGetKey {
  const held: Partial<ExportedJWKSCache> = {};
  const keys = createRemoteJWKSet(new URL(url), {
    cooldownDuration: KEYS_PAUSE_MS,
    cacheMaxAge: KEYS_HELD_MS,
    timeoutDuration: KEYS_TIMEOUT_MS,
    [customFetch]: paced(),
    [jwksCache]: held as ExportedJWKSCache,
  });
  return async (header, token) => {
    if (held.uat !== undefined && Date.now() > held.uat + KEYS_FRESH_MS) await keys.reload().catch(() => {});
    return keys(header, token);
  };
}

/** As fetch, but not twice in a few seconds: nobody makes us ask, whatever tokens they make up. */
function paced(): typeof fetch {
  let nextAt = 0;
  return async (url, init) => {
    if (Date.now() < nextAt) throw new Error(`${url} was asked a moment ago`);
    try {
      return await fetch(url, init);
    } finally {
      nextAt = Date.now() + KEYS_RETRY_MS;
    }
  };
}

/** OpenID Connect discovery: the address of the issuer's keys. */
async function discover(issuer: string, ask: typeof fetch): Promise<string> {
  const address = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const response = await ask(address, {
    headers: { Accept: "application/json" },
    signal: AbortSignal.timeout(KEYS_TIMEOUT_MS),
    redirect: "error",
  });
  const said = response.ok ? ((await response.json()) as { issuer?: unknown; jwks_uri?: unknown }) : {};
  if (said.issuer !== issuer || typeof said.jwks_uri !== "string" || !URL.canParse(said.jwks_uri)) {
    throw new Error(`${address} (status ${response.status}) does not describe the issuer ${issuer}`);
  }
  return said.jwks_uri;
}
