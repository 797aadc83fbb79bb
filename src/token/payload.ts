/**
 * The content of a token: the data, the time of signing and the lifetime.
 *
 *   {data, signed at (ms), max age (s)}     written and read
 *   {data, signed at (ms)}                  read: plug_crypto before 1.2
 *   %{data: data, signed: signed at (ms)}   read: Phoenix before 1.5
 *
 * Runs on: any thread. Pure functions.
 */

import { encodeTerm } from "./term-encoder.ts";
import { tryDecodeTerm } from "./term-decoder.ts";
import { Atom, Tuple, type Term } from "./terms.ts";

/** Latest time that a Date can represent (ms). */
export const LATEST_MS = 8_640_000_000_000_000;

/** Default lifetime of a token (ms): one day. */
export const DEFAULT_MAX_AGE_MS = 86_400_000;

const MS_PER_SECOND = 1_000;
const INFINITY = Atom.of("infinity");
const DATA = Atom.of("data");
const SIGNED = Atom.of("signed");
/** Lifetime of a token that is always expired. */
const NEVER_VALID = -Infinity;

/** Reason for refusing a token: it is missing, was not created with this secret, or is too old. */
export type TokenRefusal = "missing" | "invalid" | "expired";

/** Result of reading a token. */
export type TokenResult =
  | { readonly ok: true; readonly data: Term }
  | { readonly ok: false; readonly reason: TokenRefusal };

/** Result of reading a payload, with its expiry time; undefined if it never expires. */
export type PayloadResult =
  | { readonly ok: true; readonly data: Term; readonly expiresAtMs: number | undefined }
  | { readonly ok: false; readonly reason: TokenRefusal };

/**
 * Writes the payload of a token.
 *
 * @internal so that the published types need none of Node.js's
 * @param maxAgeMs - lifetime, or Infinity; written in seconds, with a fraction if needed
 * @throws SIM_ERR_TERM if the data cannot be represented as a term
 */
export function packPayload(data: unknown, signedAtMs: number, maxAgeMs: number): Buffer {
  const age = maxAgeMs === Infinity ? INFINITY : maxAgeMs / MS_PER_SECOND;
  return encodeTerm(new Tuple([data as Term, signedAtMs, age]));
}

/**
 * Reads a payload, and checks that it is still valid.
 *
 * @param maxAgeMs - maximum age, or Infinity; undefined uses the payload's own lifetime
 */
export function unpackPayload(
  payload: Uint8Array,
  maxAgeMs: number | undefined,
  nowMs: number,
): PayloadResult {
  const decoded = tryDecodeTerm(payload);
  const parts = decoded && partsOf(decoded.term);
  if (!parts) return { ok: false, reason: "invalid" };
  const { data, signedAtMs } = parts;
  const lifetimeMs = maxAgeMs === undefined ? parts.lifetimeMs : lifetimeOf(maxAgeMs, 1);
  const refusal = refusalOf(signedAtMs, lifetimeMs, nowMs);
  if (refusal !== undefined) return { ok: false, reason: refusal };
  return { ok: true, data, expiresAtMs: endMsOf(Number(signedAtMs), Number(lifetimeMs)) };
}

interface Parts {
  readonly data: Term;
  readonly signedAtMs: Term | undefined;
  /** The token's own lifetime; undefined if it cannot be read. */
  readonly lifetimeMs: number | undefined;
}

function partsOf(term: Term): Parts | undefined {
  if (term instanceof Tuple) {
    const [data, signedAtMs, maxAge] = term.elements;
    const isKnown = term.elements.length === 2 || term.elements.length === 3;
    if (!isKnown || data === undefined) return undefined;
    return { data, signedAtMs, lifetimeMs: ownLifetimeOf(maxAge) };
  }
  if (!(term instanceof Map)) return undefined;
  const data = term.get(DATA);
  if (data === undefined) return undefined;
  return { data, signedAtMs: term.get(SIGNED), lifetimeMs: DEFAULT_MAX_AGE_MS };
}

/** Converts a token's `max_age`, which is in seconds, to a lifetime (ms). */
function ownLifetimeOf(maxAge: Term | undefined): number | undefined {
  if (maxAge === undefined) return DEFAULT_MAX_AGE_MS;
  if (maxAge === INFINITY) return Infinity;
  if (!isNumber(maxAge)) return undefined;
  // An Erlang integer can be too large for a number, but is never infinite.
  return Math.min(lifetimeOf(Number(maxAge), MS_PER_SECOND), Number.MAX_VALUE);
}

/**
 * Returns a lifetime in whole milliseconds. As in Phoenix, a lifetime of 0 or less is always over.
 */
function lifetimeOf(age: number, unitMs: number): number {
  return age <= 0 ? NEVER_VALID : Math.trunc(age * unitMs);
}

function refusalOf(
  signedAtMs: Term | undefined,
  lifetimeMs: number | undefined,
  nowMs: number,
): TokenRefusal | undefined {
  if (!isNumber(signedAtMs)) return "invalid";
  if (lifetimeMs === undefined) return "invalid";
  if (lifetimeMs === Infinity) return undefined;
  if (lifetimeMs === NEVER_VALID) return "expired";
  // As in Phoenix, a token signed by a clock that runs ahead of this one is not valid yet.
  if (signedAtMs > nowMs) return "invalid";
  const endMs = endMsOf(Number(signedAtMs), lifetimeMs);
  return endMs !== undefined && endMs < nowMs ? "expired" : undefined;
}

function endMsOf(signedAtMs: number, lifetimeMs: number): number | undefined {
  if (lifetimeMs === Infinity) return undefined;
  return Math.min(signedAtMs + lifetimeMs, LATEST_MS);
}

function isNumber(term: Term | undefined): term is number | bigint {
  return typeof term === "number" || typeof term === "bigint";
}
