/**
 * `verifyJwt`: checks the signature, the times and the claims of a JSON Web Token.
 *
 * The result includes the token's expiry time, for `connect`. This file calls `jose` for all
 * cryptography, and translates its errors into reasons.
 *
 * Runs on: any thread; each thread caches the issuers' keys.
 */

import { makeError } from "../errors.ts";
import { loadJose, type Jose } from "./jose.ts";
import { hasJoseCode, KeysUnavailable } from "./jwks.ts";
import {
  planOf,
  type JwtClaims,
  type JwtKey,
  type JwtOptions,
  type JwtPlan,
} from "./jwt-options.ts";
import { LATEST_MS } from "./payload.ts";
import { checkedBy, detailOf, type TokenIssues } from "./token-schema.ts";

/** Result of verifying a token. */
export type JwtResult<Claims = JwtClaims> =
  | {
      readonly ok: true;
      readonly claims: Claims;
      /**
       * Expiry time (ms since 1970), for `ok` in `connect`; undefined if the token never expires.
       */
      readonly expiresAtMs: number | undefined;
    }
  | JwtFailure;

/**
 * Reason for refusing a token.
 *
 * - `missing`: there is no token
 * - `invalid`: it is not a JWT, or is not signed with an accepted key and algorithm
 * - `expired`: its `exp` is in the past, or it is older than `maxAgeMs`
 * - `early`: its `nbf` or `iat` is in the future
 * - `invalid_claims`: the signature is valid, but the issuer, the audience, the type or a required
 *   claim is wrong or missing, or the schema refuses the claims
 * - `unavailable`: the issuer's keys cannot be fetched at the moment
 */
export type JwtRefusal =
  | "missing"
  | "invalid"
  | "expired"
  | "early"
  | "invalid_claims"
  | "unavailable";

/** Details of a refusal, for the client and for the log. */
export interface JwtFailure {
  readonly ok: false;
  /** Safe to send to a client. */
  readonly reason: JwtRefusal;
  /** A sentence for the log. */
  readonly detail: string;
  /** Issues found by the schema. */
  readonly issues?: TokenIssues;
}

type Payload = JwtClaims & { readonly [name: string]: unknown };

/** Maximum length of an accepted token (characters). */
const MOST_LENGTH = 65_536;
/** Times in a JWT, and the options of jose, are in seconds. */
const MS_PER_SECOND = 1_000;

/**
 * Verifies a JSON Web Token.
 *
 * ```ts
 * const token = await verifyJwt(params["token"], { jwksUrl, issuer, audience });
 * if (!token.ok) return error({ reason: token.reason });
 * return ok({ user: token.claims.sub }, token);
 * ```
 *
 * @param token - the client's value, of any type; null and undefined count as missing
 * @throws SIM_ERR_OPTION_INVALID for an invalid option, as a rejection, but never for an invalid
 *   token
 */
export async function verifyJwt<Claims = JwtClaims>(
  token: unknown,
  options: JwtOptions<Claims>,
): Promise<JwtResult<Claims>> {
  const plan = planOf(options);
  if (token === null || token === undefined) return refused("missing", "there is no token");
  if (typeof token !== "string" || token.length > MOST_LENGTH) {
    return refused("invalid", `a token must be a string of at most ${MOST_LENGTH} characters`);
  }
  const jose = await loadJose();
  let payload: Payload;
  try {
    payload = await verified(jose, token, options, plan);
  } catch (error) {
    return refusalOf(error);
  }
  const checked = await checkedBy(options.schema, payload);
  if (checked.ok) {
    return { ok: true, claims: checked.value, expiresAtMs: endMsOf(payload, plan) };
  }
  const { issues } = checked;
  return { ok: false, reason: "invalid_claims", detail: detailOf(issues), issues };
}

async function verified(
  jose: Jose,
  token: string,
  { issuer, audience, type }: JwtOptions<unknown>,
  { key, algorithms, requiredClaims, maxAgeMs, clockToleranceMs }: JwtPlan,
): Promise<Payload> {
  const checks = {
    algorithms: [...algorithms],
    requiredClaims: [...requiredClaims],
    clockTolerance: clockToleranceMs / MS_PER_SECOND,
    ...(issuer !== undefined && { issuer: textsOf(issuer) }),
    ...(audience !== undefined && { audience: textsOf(audience) }),
    ...(type !== undefined && { typ: type }),
    ...(maxAgeMs !== undefined && { maxTokenAge: maxAgeMs / MS_PER_SECOND }),
  };
  const one = await keyFor(key);
  try {
    return await verifiedBy(jose, token, one, checks);
  } catch (error) {
    if (!hasSeveralKeys(error)) throw error;
    return verifiedByOneOf(error, async (each) => verifiedBy(jose, token, each, checks));
  }
}

type Key = Parameters<Jose["jwtVerify"]>[1];
type Checks = Parameters<Jose["jwtVerify"]>[2];

async function keyFor(key: JwtKey): Promise<Key> {
  return key.kind === "local" ? key.key : key.keys.finder();
}

async function verifiedBy(jose: Jose, token: string, key: Key, checks: Checks): Promise<Payload> {
  const { payload } = await jose.jwtVerify(token, key, checks);
  return payload;
}

/** The error that jose throws for a token without a `kid` that several keys may have signed. */
interface SeveralKeys extends Error {
  [Symbol.asyncIterator](): AsyncIterableIterator<Key>;
}

function hasSeveralKeys(error: unknown): error is SeveralKeys {
  return hasJoseCode(error, "ERR_JWKS_MULTIPLE_MATCHING_KEYS");
}

async function verifiedByOneOf(
  keys: SeveralKeys,
  verify: (key: Key) => Promise<Payload>,
): Promise<Payload> {
  let last: unknown = keys;
  for await (const key of keys) {
    try {
      return await verify(key);
    } catch (error) {
      if (!hasJoseCode(error, "ERR_JWS_SIGNATURE_VERIFICATION_FAILED")) throw error;
      last = error;
    }
  }
  throw last;
}

function refusalOf(error: unknown): JwtFailure {
  if (!(error instanceof Error)) throw makeError("SIM_ERR_INTERNAL", `jose threw ${typeof error}`);
  const detail = error.message;
  if (error instanceof KeysUnavailable) return refused("unavailable", detail);
  const code = "code" in error ? error.code : undefined;
  switch (code) {
    case "ERR_JWT_EXPIRED":
      return refused("expired", detail);
    case "ERR_JWT_CLAIM_VALIDATION_FAILED":
      return refused(isEarly(error) ? "early" : "invalid_claims", detail);
    case "ERR_JWKS_INVALID":
    case "ERR_JWKS_TIMEOUT":
      return refused("unavailable", detail);
    default:
      return refused("invalid", detail);
  }
}

/** Reports whether a time claim is in the future, as opposed to missing or malformed. */
function isEarly(error: Error): boolean {
  const { claim, reason } = error as { readonly claim?: unknown; readonly reason?: unknown };
  return (claim === "nbf" || claim === "iat") && reason === "check_failed";
}

function refused(reason: JwtRefusal, detail: string): JwtFailure {
  return { ok: false, reason, detail };
}

/** Returns the time at which a token stops being accepted; undefined if it never expires. */
function endMsOf(
  { exp, iat }: Payload,
  { maxAgeMs, clockToleranceMs }: JwtPlan,
): number | undefined {
  const ends: number[] = [];
  if (exp !== undefined) ends.push(exp * MS_PER_SECOND);
  if (maxAgeMs !== undefined && iat !== undefined) ends.push(iat * MS_PER_SECOND + maxAgeMs);
  if (ends.length === 0) return undefined;
  return Math.min(Math.min(...ends) + clockToleranceMs, LATEST_MS);
}

function textsOf(given: string | readonly string[]): string[] {
  return typeof given === "string" ? [given] : [...given];
}
