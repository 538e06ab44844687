import {
  createRemoteJWKSet,
  customFetch,
  type ExportedJWKSCache,
  errors,
  type JWTVerifyGetKey,
  jwksCache,
  jwtVerify,
} from "jose";
import { longNumber } from "../../protocol/digits.js";
import { SpacefeedError } from "../../protocol/errors.js";
import { unstorable } from "../../protocol/json.js";
import { id } from "../../protocol/messages.js";
import type { Claims } from "../postgres/functions.js";

/** How tokens are checked. One of the first three says who signs them. */
export interface TokenConfig {
  /** HS256. */
  secret: string | undefined;
  /** Where the public keys are. */
  jwksUrl: string | undefined;
  /** The expected `iss`; with neither of the two above also where OpenID Connect discovery finds the keys. */
  issuer: string | undefined;
  /** The expected `aud`. */
  audience: string | undefined;
  /** Also read from this cookie. */
  cookie: string | undefined;
  /** The claim that has the ID of the being that a token stands for. */
  beingClaim: string;
}

/** Who a token stands for, and until when. */
interface Bearer {
  claims: Exclude<Claims, null>;
  /** The end of the token, with what clocks may differ by; milliseconds since 1970. */
  expiresAt: number;
}

/** Checks a token. Throws `unauthorized`, or `unavailable` where the keys are not to be had. */
export type Verify = (token: string) => Promise<Bearer>;

const CLOCK_TOLERANCE_S = 5;
const KEYS_TIMEOUT_MS = 5_000;
/** A key that is not known is looked for again, but not more often; after a failure, anything is. */
const KEYS_PAUSE_MS = 30_000;
const KEYS_RETRY_MS = 5_000;
/** Keys of that age are asked for again. While they are not to be had, the old ones hold, but no longer than a day. */
const KEYS_FRESH_MS = 10 * 60_000;
const KEYS_HELD_MS = 24 * 3_600_000;
/** Public keys verify these; a secret verifies HS256 alone. So no public key can be taken for a secret. */
const ASYMMETRIC = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];
const NEXT_STEP = "get a new one, and send it as `Authorization: Bearer …`";

export function createVerify(config: TokenConfig): Verify {
  const { secret, issuer, audience, beingClaim } = config;
  const bytes = secret === undefined ? undefined : new TextEncoder().encode(secret);
  const findKey: JWTVerifyGetKey = bytes ? async () => bytes : publicKeys(config);
  const options = {
    algorithms: bytes ? ["HS256"] : ASYMMETRIC,
    requiredClaims: ["exp", beingClaim],
    clockTolerance: CLOCK_TOLERANCE_S,
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
  };

  return async (token) => {
    const { payload } = await jwtVerify(token, findKey, options).catch((error) => {
      throw refusalOf(error);
    });
    // Claims go to the database together with those of others: none may spoil the question.
    const long = longNumber(payloadOf(token));
    const fault = long === null ? unstorable(payload) : `has a number with too many digits: ${long}`;
    if (fault) throw new SpacefeedError("unauthorized", `the token ${fault}: ${NEXT_STEP}`);
    const being = id.safeParse(payload[beingClaim]);
    if (!being.success) {
      throw new SpacefeedError(
        "unauthorized",
        `the token's claim ${beingClaim} is not the ID of a being: ${NEXT_STEP}`,
      );
    }
    const expiresAt = ((payload.exp as number) + CLOCK_TOLERANCE_S) * 1000;
    return { claims: { being: being.data, json: claimsText(token, being.data) }, expiresAt };
  };
}

/** A token's payload as it was signed: what JavaScript makes of its numbers would be others. */
function payloadOf(token: string): string {
  return Buffer.from(token.split(".")[1] ?? "", "base64url").toString();
}

/** The claims, and `being` as the last of them, which is the one that counts. */
function claimsText(token: string, being: string): string {
  return payloadOf(token).replace(/\}\s*$/, () => `,"being":${JSON.stringify(being)}}`);
}

function publicKeys({ jwksUrl, issuer }: TokenConfig): JWTVerifyGetKey {
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

type Ask = (url: string, init: RequestInit) => Promise<Response>;

/** As fetch, but not twice in a few seconds: nobody makes us ask, whatever tokens he makes up. */
function paced(): Ask {
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
async function discover(issuer: string, ask: Ask): Promise<string> {
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

/** What jose says of a token is the caller's to mend. Whatever else happened, the keys were not to be had. */
function refusalOf(error: unknown): SpacefeedError {
  if (error instanceof errors.JWTExpired) {
    return new SpacefeedError("unauthorized", `the token has expired: ${NEXT_STEP}`, { cause: error });
  }
  const isOfToken =
    error instanceof errors.JWTClaimValidationFailed ||
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported;
  if (isOfToken) {
    return new SpacefeedError("unauthorized", `the token is not valid (${error.message}): ${NEXT_STEP}`, {
      cause: error,
    });
  }
  return new SpacefeedError(
    "unavailable",
    "tokens cannot be checked now: the issuer's keys are not to be had",
    {
      cause: error,
    },
  );
}
