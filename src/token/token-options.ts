/**
 * Options of tokens and session cookies: what they default to, and what they may be.
 *
 * A wrong one is a mistake of the program and throws. What comes from outside never does.
 *
 * Runs on: any thread. Pure functions.
 */

import { makeError } from "../errors.ts";
import type { KeyDigest, KeyShape } from "./key-cache.ts";

/** How keys are derived: the same on both sides. */
export interface KeyOptions {
  /** Rounds of PBKDF2; 1000. */
  readonly keyIterations?: number | undefined;
  /** Length of keys in bytes; 32. */
  readonly keyLength?: number | undefined;
  /** Digest of PBKDF2; sha256. */
  readonly keyDigest?: KeyDigest | undefined;
}

/** Options of `sign` and `encrypt`. */
export interface SignOptions extends KeyOptions {
  /** When it was signed, in seconds since 1970; now. */
  readonly signedAt?: number | undefined;
  /** Seconds that the token holds, or Infinity; a day. A reader may decide otherwise. */
  readonly maxAge?: number | undefined;
}

/** Options of `verify` and `decrypt`. */
export interface VerifyOptions extends KeyOptions {
  /** Seconds that a token holds, or Infinity; what the token says itself. */
  readonly maxAge?: number | undefined;
}

/** Options of a session cookie, as an application of Plug gives them to its `Plug.Session`. */
export interface SessionOptions extends KeyOptions {
  readonly secretKeyBase: string;
  readonly signingSalt: string;
  /** Where the application encrypts its cookies. */
  readonly encryptionSalt?: string | undefined;
  /** Further salts and keys that cookies may have, for while they change. */
  readonly rotatingOptions?: readonly RotatedOptions[] | undefined;
}

/** An earlier way in which cookies were made. */
export type RotatedOptions = Omit<SessionOptions, "secretKeyBase" | "rotatingOptions">;

/** Fewest bytes of a secret, for tokens and for cookies. */
export const MIN_SECRET_BYTES = 20;
export const MIN_SESSION_SECRET_BYTES = 64;

export const KEY_OPTIONS = ["keyIterations", "keyLength", "keyDigest"] as const;
export const SIGN_OPTIONS = [...KEY_OPTIONS, "signedAt", "maxAge"] as const;
export const VERIFY_OPTIONS = [...KEY_OPTIONS, "maxAge"] as const;
export const ROTATED_OPTIONS = [...KEY_OPTIONS, "signingSalt", "encryptionSalt"] as const;
export const SESSION_OPTIONS = [...ROTATED_OPTIONS, "secretKeyBase", "rotatingOptions"] as const;

const MAX_ITERATIONS = 10_000_000;
const MAX_KEY_BYTES = 1_024;
const DEFAULT_SHAPE: KeyShape = { iterations: 1_000, lengthBytes: 32, digest: "sha256" };
const DIGESTS: readonly unknown[] = ["sha256", "sha384", "sha512"] satisfies KeyDigest[];

/** Lengths of keys that an algorithm takes. */
export type KeyUse = "sign" | "encrypt" | "decrypt";

const LENGTHS: Readonly<Record<Exclude<KeyUse, "sign">, readonly number[]>> = {
  encrypt: [32],
  // What plug_crypto 1.x wrote may have had a shorter one.
  decrypt: [16, 24, 32],
};

/** Throws for a name that is no option: `max_age` would be a token that never grows old. */
export function checkNames(options: object, names: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown !== undefined) throw invalid("option", `be one of ${names.join(", ")}`, unknown);
}

/** Throws for a secret that is none, without showing it. */
export function checkSecret(secret: unknown, minBytes: number): void {
  const bytes = typeof secret === "string" ? Buffer.byteLength(secret) : typeof secret;
  if (typeof bytes === "string" || bytes < minBytes) {
    throw invalid("secretKeyBase", `be a string of at least ${minBytes} (bytes)`, bytes);
  }
}

/** Throws for a salt that is no string. */
export function checkSalt(name: string, salt: unknown): void {
  if (typeof salt !== "string") throw invalid(name, "be a string", typeof salt);
}

/** Gives how keys are derived. */
export function keyShapeOf(options: KeyOptions, use: KeyUse): KeyShape {
  const iterations = options.keyIterations ?? DEFAULT_SHAPE.iterations;
  const lengthBytes = options.keyLength ?? DEFAULT_SHAPE.lengthBytes;
  const digest = options.keyDigest ?? DEFAULT_SHAPE.digest;
  checkInteger("keyIterations", iterations, MAX_ITERATIONS, "rounds");
  checkInteger("keyLength", lengthBytes, MAX_KEY_BYTES, "bytes");
  if (use !== "sign" && !LENGTHS[use].includes(lengthBytes)) {
    throw invalid("keyLength", `be ${LENGTHS[use].join(" or ")} to ${use} (bytes)`, lengthBytes);
  }
  if (!DIGESTS.includes(digest)) {
    throw invalid("keyDigest", `be one of ${DIGESTS.join(", ")}`, digest);
  }
  return { iterations, lengthBytes, digest };
}

/** Throws for key options that cannot be. @param subject - whose they are, for the message */
export function checkKeyOptions(subject: string, options: KeyOptions): void {
  try {
    keyShapeOf(options, "sign");
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw makeError("SIM_ERR_OPTION_INVALID", `${subject}: ${message}`, { cause });
  }
}

/** Gives an age in seconds. */
export function maxAgeOf(maxAge: number): number {
  if (typeof maxAge !== "number" || !(Number.isFinite(maxAge) || maxAge === Infinity)) {
    throw invalid("maxAge", "be a number or Infinity (seconds)", String(maxAge));
  }
  return maxAge;
}

/** Gives a time in whole milliseconds. */
export function signedAtMsOf(signedAt: number): number {
  const ms = typeof signedAt === "number" ? Math.trunc(signedAt * 1_000) : Number.NaN;
  if (!Number.isSafeInteger(ms)) {
    throw invalid("signedAt", "be a number since 1970 (seconds)", String(signedAt));
  }
  return ms;
}

function checkInteger(name: string, value: unknown, max: number, unit: string): void {
  if (!Number.isInteger(value) || Number(value) < 1 || Number(value) > max) {
    throw invalid(name, `be an integer from 1 to ${max} (${unit})`, String(value));
  }
}

function invalid(subject: string, rule: string, got: string | number): Error {
  return makeError("SIM_ERR_OPTION_INVALID", `${subject} must ${rule}, got ${got}`);
}
