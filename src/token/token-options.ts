/**
 * Options of tokens and session cookies: their defaults and their checks.
 *
 * An invalid option is a bug in the program, so it throws. An invalid token or cookie never throws.
 *
 * Runs on: any thread. Pure functions.
 */

import { invalidOption, isCount } from "../definition-checks.ts";
import { nearestHint } from "../nearest-name.ts";
import { SECRET_COMMAND } from "../options/values.ts";
import type { KeyDigest, KeyShape } from "./key-cache.ts";

/** Parameters for deriving keys. They must be the same on both sides. */
export interface KeyOptions {
  /** Rounds of PBKDF2. Default: 1000. */
  readonly keyIterations?: number | undefined;
  /** Length of keys (bytes). Default: 32. */
  readonly keyLength?: number | undefined;
  /** Digest of PBKDF2. Default: sha256. */
  readonly keyDigest?: KeyDigest | undefined;
}

/** Options of `sign` and `encrypt`. */
export interface SignOptions extends KeyOptions {
  /** Time of signing (ms since 1970, as returned by `Date.now()`). Default: now. */
  readonly signedAtMs?: number | undefined;
  /**
   * Lifetime of the token (ms), or Infinity. Default: one day. `verify` can override it.
   * Corresponds to Phoenix's `max_age`, which is in seconds.
   */
  readonly maxAgeMs?: number | undefined;
}

/** Options of `verify` and `decrypt`. */
export interface VerifyOptions extends KeyOptions {
  /** Maximum age of a token (ms), or Infinity. Default: the token's own lifetime. */
  readonly maxAgeMs?: number | undefined;
}

/** Options for a session cookie: the same as those of `Plug.Session` in the application. */
export interface SessionOptions extends KeyOptions {
  readonly secretKeyBase: string;
  readonly signingSalt: string;
  /** Set this only if the application encrypts its cookies. */
  readonly encryptionSalt?: string | undefined;
  /** Earlier options, for cookies that were created before the options changed. */
  readonly rotatingOptions?: readonly RotatedOptions[] | undefined;
}

/** Options that earlier cookies were created with. */
export type RotatedOptions = Omit<SessionOptions, "secretKeyBase" | "rotatingOptions">;

/** Minimum length of a secret, for tokens and for cookies (bytes). */
const MIN_SECRET_BYTES = 20;
const MIN_SESSION_SECRET_BYTES = 64;

export const KEY_OPTIONS = ["keyIterations", "keyLength", "keyDigest"] as const;
export const SIGN_OPTIONS = [...KEY_OPTIONS, "signedAtMs", "maxAgeMs"] as const;
export const VERIFY_OPTIONS = [...KEY_OPTIONS, "maxAgeMs"] as const;
export const ROTATED_OPTIONS = [...KEY_OPTIONS, "signingSalt", "encryptionSalt"] as const;
export const SESSION_OPTIONS = [...ROTATED_OPTIONS, "secretKeyBase", "rotatingOptions"] as const;

const MAX_ITERATIONS = 10_000_000;
const MAX_KEY_BYTES = 1_024;
const DEFAULT_SHAPE: KeyShape = { iterations: 1_000, lengthBytes: 32, digest: "sha256" };
const DIGESTS: readonly unknown[] = ["sha256", "sha384", "sha512"] satisfies KeyDigest[];

/** Use of a key. */
export type KeyUse = "sign" | "encrypt" | "decrypt";

const LENGTHS: Readonly<Record<Exclude<KeyUse, "sign">, readonly number[]>> = {
  encrypt: [32],
  // Tokens from plug_crypto 1.x can have shorter keys.
  decrypt: [16, 24, 32],
};

/** Checks that all options are known, because ignoring a `max_age` would be a security hole. */
export function checkNames(options: object, names: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  const camelCase = unknown.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  // Phoenix and jose take seconds, under the same name without its unit.
  const inMs = `${camelCase}Ms`;
  const hint = names.includes(inMs)
    ? `; write ${inMs}, in milliseconds`
    : nearestHint(unknown, names);
  throw invalidOption(`option must be one of ${names.join(", ")}, got ${unknown}${hint}`);
}

/** Checks a secret for tokens. The error does not contain the secret. */
export function checkSecret(secret: unknown): void {
  checkSecretBytes(secret, MIN_SECRET_BYTES, `to make one: ${SECRET_COMMAND}`);
}

/** Checks a secret for session cookies. The error does not contain the secret. */
export function checkSessionSecret(secret: unknown): void {
  const advice = "take the secret_key_base of the application that makes the cookies";
  checkSecretBytes(secret, MIN_SESSION_SECRET_BYTES, advice);
}

function checkSecretBytes(secret: unknown, minBytes: number, advice: string): void {
  const bytes = typeof secret === "string" ? Buffer.byteLength(secret) : typeof secret;
  if (typeof bytes === "string" || bytes < minBytes) {
    const rule = `must be a string of at least ${minBytes} (bytes)`;
    throw invalidOption(`secretKeyBase ${rule}, got ${bytes}; ${advice}`);
  }
}

/** Checks that a salt is a string. */
export function checkSalt(name: string, salt: unknown): void {
  if (typeof salt !== "string") {
    throw invalidOption(`${name} must be a string, got ${typeof salt}`);
  }
}

/** Checks the parameters for deriving keys, and fills in defaults. */
export function keyShapeOf(options: KeyOptions, use: KeyUse): KeyShape {
  const iterations = options.keyIterations ?? DEFAULT_SHAPE.iterations;
  const lengthBytes = options.keyLength ?? DEFAULT_SHAPE.lengthBytes;
  const digest = options.keyDigest ?? DEFAULT_SHAPE.digest;
  checkInteger("keyIterations", iterations, MAX_ITERATIONS, "rounds");
  checkInteger("keyLength", lengthBytes, MAX_KEY_BYTES, "bytes");
  if (use !== "sign" && !LENGTHS[use].includes(lengthBytes)) {
    const lengths = LENGTHS[use].join(" or ");
    throw invalidOption(`keyLength must be ${lengths} to ${use} (bytes), got ${lengthBytes}`);
  }
  if (!DIGESTS.includes(digest)) {
    throw invalidOption(`keyDigest must be one of ${DIGESTS.join(", ")}, got ${digest}`);
  }
  return { iterations, lengthBytes, digest };
}

/** Checks key options. @param subject - owner of the options, for the error message */
export function checkKeyOptions(subject: string, options: KeyOptions): void {
  try {
    keyShapeOf(options, "sign");
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw invalidOption(`${subject}: ${message}`, { cause });
  }
}

/** Checks a maximum age. */
export function checkMaxAge(maxAgeMs: unknown): void {
  if (typeof maxAgeMs === "number" && !Number.isNaN(maxAgeMs) && maxAgeMs !== -Infinity) return;
  throw invalidOption(`maxAgeMs must be a number or Infinity (ms), got ${String(maxAgeMs)}`);
}

/**
 * Seconds since 1970 for the years 2001 to 5138. Read as milliseconds, they would be in 1970 to
 * 1973.
 */
const SECONDS = { from: 1_000_000_000, to: 100_000_000_000 } as const;

/** Returns the time of a signature in whole milliseconds. */
export function signedAtMsOf(given: unknown): number {
  const signedAtMs = typeof given === "number" ? Math.trunc(given) : Number.NaN;
  const looksLikeSeconds = signedAtMs > SECONDS.from && signedAtMs < SECONDS.to;
  if (Number.isSafeInteger(signedAtMs) && !looksLikeSeconds) return signedAtMs;
  const hint = looksLikeSeconds ? ", which looks like seconds: multiply by 1000" : "";
  throw invalidOption(`signedAtMs must be a time (ms since 1970), got ${String(given)}${hint}`);
}

function checkInteger(name: string, value: unknown, max: number, unit: string): void {
  if (isCount(value, max)) return;
  throw invalidOption(
    `${name} must be an integer from 1 to ${max} (${unit}), got ${String(value)}`,
  );
}
