import { errors, type JWTVerifyGetKey, jwtVerify } from "jose";
import { longNumber } from "../../protocol/digits.js";
import { SpacefeedError } from "../../protocol/errors.js";
import { unstorable } from "../../protocol/json.js";
import { id } from "../../protocol/messages.js";
import type { Claims } from "../postgres/functions.js";
import { publicKeys } from "./keys.js";

/** How tokens are checked. One of the first three says who signs them. */
export interface TokenConfig {
  /** HS256. */
  secret: string | undefined;
  /** Where the public keys are. */
  jwksUrl: string | undefined;
  /** The expected `iss`; with neither of the two above also where OpenID Connect discovery finds the keys. */
  issuer: string | undefined;
  audience: string | undefined;
  cookie: string | undefined;
  /** The claim that has the ID of the being that a token stands for. */
  beingClaim: string;
}

/** Who asks. What they may do is decided in SQL, by their claims. */
export interface Caller {
  claims: Claims;
  /** When the claims end, with what clocks may differ by, in milliseconds since 1970; null: never. */
  expiresAt: number | null;
}

const CLOCK_TOLERANCE_S = 5;
/** Public keys verify these; a secret verifies HS256 alone. So no public key can be taken for a secret. */
const ASYMMETRIC = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];

/** What checks a token. It throws `unauthorized`, or `unavailable` where the keys cannot be had. */
export function createVerify(config: TokenConfig): (token: string) => Promise<Caller> {
  const { secret, issuer, audience, beingClaim } = config;
  const bytes = secret === undefined ? undefined : new TextEncoder().encode(secret);
  const findKey: JWTVerifyGetKey = bytes ? async () => bytes : publicKeys(config.jwksUrl, issuer);
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
    // As it was signed: what JavaScript makes of its numbers would be others.
    const text = Buffer.from(token.split(".")[1] ?? "", "base64url").toString();
    // Claims go to the database together with those of others: none may spoil the question.
    const long = longNumber(text);
    const fault = long === null ? unstorable(payload) : `has a number with too many digits: ${long}`;
    if (fault) throw refusal(fault);
    const { data: being } = id.safeParse(payload[beingClaim]);
    if (being === undefined) throw refusal(`has a claim ${beingClaim} that is not the ID of a being`);
    // Of two claims `being`, the last one counts.
    const json = text.replace(/\}\s*$/, () => `,"being":${JSON.stringify(being)}}`);
    const expiresAt = ((payload.exp as number) + CLOCK_TOLERANCE_S) * 1000;
    return { claims: { being, json }, expiresAt };
  };
}

/** What jose says of a token is for the caller to put right. Whatever else happened, the keys could not be had. */
function refusalOf(error: Error & { code?: string }): SpacefeedError {
  if (error instanceof errors.JWTExpired) return refusal("has expired", error);
  const isOfToken = /^ERR_(JWT|JWS|JWKS_NO|JWKS_MULTIPLE|JOSE_ALG|JOSE_NOT)_/.test(error.code ?? "");
  if (isOfToken) return refusal(`is not valid (${error.message})`, error);
  const message =
    "tokens cannot be checked now, since the issuer's keys cannot be fetched: try again in a moment";
  return new SpacefeedError("unavailable", message, { cause: error });
}

function refusal(fault: string, cause?: unknown): SpacefeedError {
  const message = `the token ${fault}: get a new one, and send it as \`Authorization: Bearer …\``;
  return new SpacefeedError("unauthorized", message, { cause });
}
