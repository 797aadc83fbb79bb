/**
 * Options of `verifyJwt`: the keys, the algorithms, and the claims that a token must have.
 *
 * The kind of key, never the token, determines the possible algorithms. A token with the algorithm
 * `none`, or with HS256 if the options contain a public key, is therefore rejected before a key is
 * used.
 *
 * Runs on: any thread. Pure except for a cache of parsed keys.
 */

import { createPublicKey, KeyObject, type JsonWebKeyInput } from "node:crypto";

import { invalidOption, shown } from "../definition-checks.ts";
import { kindOf } from "../errors.ts";
import { SECRET_COMMAND } from "../options/values.ts";
import { BoundedCache } from "./bounded-cache.ts";
import { JWKS_OPTIONS, jwksOf, type JwksOptions, type RemoteKeys } from "./jwks.ts";
import { checkSchema, type Schema } from "./token-schema.ts";
import { checkNames } from "./token-options.ts";

// Described here, because apps must compile without Node.js's types.

/** A JSON Web Key. */
interface Jwk {
  readonly kty?: string | undefined;
}

/** A KeyObject of node:crypto, or a CryptoKey's. */
interface PublicKeyObject {
  readonly type: string;
  readonly asymmetricKeyType?: string | undefined;
  equals(other: never): boolean;
}

/** Keys for verifying tokens: exactly one of three kinds. */
export type JwtKeys =
  | {
      /** URL of the issuer's JWKS, which contains its public keys. Each shard caches them. */
      readonly jwksUrl: string | URL;
      readonly jwks?: JwksOptions | undefined;
      readonly secret?: undefined;
      readonly publicKey?: undefined;
    }
  | {
      /** A secret shared with the issuer, of at least 32 bytes, for HS256. */
      readonly secret: string | Uint8Array;
      readonly jwksUrl?: undefined;
      readonly jwks?: undefined;
      readonly publicKey?: undefined;
    }
  | {
      /** The issuer's public key: PEM (a key or a certificate), a JWK, or a KeyObject. */
      readonly publicKey: string | Jwk | PublicKeyObject;
      readonly jwksUrl?: undefined;
      readonly jwks?: undefined;
      readonly secret?: undefined;
    };

/** Requirements for a token besides a valid signature. */
export interface JwtChecks<Claims> {
  /** Accepted issuers (`iss`). */
  readonly issuer?: string | readonly string[] | undefined;
  /** Accepted audiences (`aud`); a token must contain one of them. */
  readonly audience?: string | readonly string[] | undefined;
  /** Accepted algorithms. Default: all that a public key supports; HS256 for a secret. */
  readonly algorithms?: readonly string[] | undefined;
  /** Claims that a token must have. Default: `exp`. */
  readonly requiredClaims?: readonly string[] | undefined;
  /** Required `typ` in the header, such as "at+jwt". */
  readonly type?: string | undefined;
  /**
   * Maximum age of a token, counted from `iat` and regardless of `exp` (ms). At least 1 000,
   * because times in a JWT are whole seconds.
   */
  readonly maxAgeMs?: number | undefined;
  /** Tolerated deviation of the issuer's clock (ms): 0, or at least 1 000. Default: 0. */
  readonly clockToleranceMs?: number | undefined;
  /** A Standard Schema (zod, valibot, arktype, …) that checks the claims and types them. */
  readonly schema?: Schema<Claims> | undefined;
}

/** Options of `verifyJwt`. */
export type JwtOptions<Claims = JwtClaims> = JwtKeys & JwtChecks<Claims>;

/** Claims of a token without a schema. */
export interface JwtClaims {
  readonly iss?: string;
  readonly sub?: string;
  readonly aud?: string | string[];
  /** Seconds since 1970, as are `nbf` and `iat`. */
  readonly exp?: number;
  readonly nbf?: number;
  readonly iat?: number;
  readonly jti?: string;
  readonly [name: string]: unknown;
}

/** A key for verifying tokens. @internal so that the published types need none of Node.js's */
export type JwtKey =
  | { readonly kind: "remote"; readonly keys: RemoteKeys }
  | { readonly kind: "local"; readonly key: Uint8Array | KeyObject };

/** Checked options. @internal */
export interface JwtPlan {
  readonly key: JwtKey;
  readonly algorithms: readonly string[];
  readonly requiredClaims: readonly string[];
  readonly maxAgeMs: number | undefined;
  readonly clockToleranceMs: number;
}

const HMAC = ["HS256", "HS384", "HS512"];
const RSA = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
const ED25519 = ["EdDSA", "Ed25519"];
const CURVES: Readonly<Record<string, string>> = {
  prime256v1: "ES256",
  secp384r1: "ES384",
  secp521r1: "ES512",
};
const ASYMMETRIC = [...RSA, ...Object.values(CURVES), ...ED25519];

const MIN_SECRET_BYTES = 32;
const MIN_RSA_BITS = 2_048;
/** Maximum for times: ten years. */
const LONGEST_MS = 315_360_000_000;
/**
 * Minimum for times, because times in a JWT are whole seconds. A lower value was meant in seconds.
 */
const SHORTEST_MS = 1_000;
const KEY_NAMES = ["jwksUrl", "secret", "publicKey"] as const;
const NAMES = [
  ...KEY_NAMES,
  "jwks",
  "issuer",
  "audience",
  "algorithms",
  "requiredClaims",
  "type",
  "maxAgeMs",
  "clockToleranceMs",
  "schema",
] as const;

const publicKeys = new BoundedCache<string, KeyObject>(64);

/**
 * Checks options, and fills in defaults.
 *
 * @internal so that the published types need none of Node.js's
 *
 * @throws SIM_ERR_OPTION_INVALID for an invalid option; the message contains no secret or key
 */
export function planOf(options: JwtOptions<unknown>): JwtPlan {
  checkObject(options);
  checkNames(options, NAMES);
  checkSchema(options.schema);
  checkTexts("issuer", options.issuer);
  checkTexts("audience", options.audience);
  checkNotEmpty("issuer", options.issuer);
  checkNotEmpty("audience", options.audience);
  checkTexts("requiredClaims", options.requiredClaims);
  if (options.type !== undefined) checkTexts("type", [options.type]);
  checkTime("maxAgeMs", options.maxAgeMs);
  if (options.clockToleranceMs !== 0) checkTime("clockToleranceMs", options.clockToleranceMs);
  const { key, possible, usual } = keyOf(options);
  return {
    key,
    algorithms: algorithmsOf(options.algorithms, possible, usual),
    requiredClaims: options.requiredClaims ?? ["exp"],
    maxAgeMs: options.maxAgeMs,
    clockToleranceMs: options.clockToleranceMs ?? 0,
  };
}

interface KeyFound {
  readonly key: JwtKey;
  /** Algorithms that the key can be used for, and those that it is used for by default. */
  readonly possible: readonly string[];
  readonly usual: readonly string[];
}

function keyOf(options: JwtOptions<unknown>): KeyFound {
  const given = KEY_NAMES.filter((name) => options[name] !== undefined);
  if (given.length !== 1) {
    throw invalidOption(
      `options must have exactly one of ${KEY_NAMES.join(", ")}, got ${given.join(", ") || "none"}`,
    );
  }
  if (options.secret !== undefined) return secretOf(options.secret);
  if (options.publicKey !== undefined) return publicKeyOf(options.publicKey as PublicKey);
  checkNames(options.jwks ?? {}, JWKS_OPTIONS);
  const keys = jwksOf(options.jwksUrl, options.jwks ?? {});
  return { key: { kind: "remote", keys }, possible: ASYMMETRIC, usual: ASYMMETRIC };
}

function secretOf(secret: string | Uint8Array): KeyFound {
  const key = typeof secret === "string" ? Buffer.from(secret) : secret;
  const bytes = key instanceof Uint8Array ? key.length : kindOf(secret);
  if (typeof bytes === "string" || bytes < MIN_SECRET_BYTES) {
    const advice = `to make one for the issuer and this server: ${SECRET_COMMAND}`;
    throw invalidOption(
      `secret must be at least ${MIN_SECRET_BYTES} (bytes), got ${bytes}; ${advice}`,
    );
  }
  return { key: { kind: "local", key }, possible: HMAC, usual: ["HS256"] };
}

type PublicKey = string | JsonWebKeyInput["key"] | KeyObject;

function publicKeyOf(given: PublicKey): KeyFound {
  const key = readPublicKey(given);
  const possible = algorithmsFor(key);
  return { key: { kind: "local", key }, possible, usual: possible };
}

function readPublicKey(given: PublicKey): KeyObject {
  if (given instanceof KeyObject) {
    if (given.type === "public") return given;
    throw invalidOption(`publicKey must be a public key, got a ${given.type} one`);
  }
  const isText = typeof given === "string";
  const hasPrivate = isText ? given.includes("PRIVATE KEY") : "d" in given;
  // A private key would work, but a server that verifies tokens should not have one.
  if (hasPrivate) throw invalidOption("publicKey must be a public key, got a private one");
  const name = isText ? given : JSON.stringify(given);
  return publicKeys.get(name, () => {
    try {
      return isText ? createPublicKey(given) : createPublicKey({ key: given, format: "jwk" });
    } catch (cause) {
      const message =
        "publicKey must be PEM, a JWK or a KeyObject, got a value that cannot be read";
      throw invalidOption(message, { cause });
    }
  });
}

function algorithmsFor({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): readonly string[] {
  if (asymmetricKeyType === "ed25519") return ED25519;
  if (asymmetricKeyType === "ec") {
    const algorithm = CURVES[asymmetricKeyDetails?.namedCurve ?? ""];
    if (algorithm !== undefined) return [algorithm];
  }
  if (asymmetricKeyType === "rsa") {
    const bits = asymmetricKeyDetails?.modulusLength ?? 0;
    if (bits >= MIN_RSA_BITS) return RSA;
    throw invalidOption(`RSA publicKey must have at least ${MIN_RSA_BITS} (bits), got ${bits}`);
  }
  const message = `publicKey must be RSA, ECDSA (P-256, P-384, P-521) or Ed25519, got ${asymmetricKeyType}`;
  throw invalidOption(message);
}

function algorithmsOf(
  given: readonly string[] | undefined,
  possible: readonly string[],
  usual: readonly string[],
): readonly string[] {
  if (given === undefined) return usual;
  const wrong = Array.isArray(given) ? given.filter((name) => !possible.includes(name)) : [given];
  if (given.length > 0 && wrong.length === 0) return given;
  const got = wrong.length > 0 ? wrong.map(String).join(", ") : "none";
  throw invalidOption(`algorithms must be some of ${possible.join(", ")} for this key, got ${got}`);
}

function checkObject(options: unknown): void {
  if (typeof options === "object" && options !== null) return;
  throw invalidOption(
    `options of verifyJwt, its second argument, must be an object, got ${kindOf(options)}`,
  );
}

/** Refuses an empty list, which no token matches. */
function checkNotEmpty(name: string, given: unknown): void {
  if (!Array.isArray(given) || given.length > 0) return;
  throw invalidOption(`${name} must have at least one string, got none`);
}

function checkTexts(name: string, given: unknown): void {
  const list: unknown[] = Array.isArray(given) ? given : [given];
  if (given === undefined || list.every((one) => typeof one === "string" && one !== "")) return;
  throw invalidOption(
    `${name} must be a string or a list of strings, not empty, got ${kindOf(given)}`,
  );
}

function checkTime(name: string, given: unknown): void {
  if (given === undefined) return;
  if (typeof given === "number" && given >= SHORTEST_MS && given <= LONGEST_MS) return;
  const rule = `must be a number from ${SHORTEST_MS} to ${LONGEST_MS} (ms)`;
  const hint = isSeconds(given) ? ", which looks like seconds: multiply by 1000" : "";
  throw invalidOption(`${name} ${rule}, got ${shown(given)}${hint}`);
}

function isSeconds(given: unknown): boolean {
  return typeof given === "number" && given > 0 && given < SHORTEST_MS;
}
