/**
 * What a token carries: data, when it was signed, and how long it holds.
 *
 *   {data, signed at (ms), max age (s)}     written, and read
 *   {data, signed at (ms)}                  read: of plug_crypto before 1.2
 *   %{data: data, signed: signed at (ms)}   read: of Phoenix before 1.5
 *
 * Runs on: any thread. Pure functions; the time is given.
 */

import { encodeTerm } from "./term-encoder.ts";
import { tryDecodeTerm } from "./term-decoder.ts";
import { Atom, Tuple, type Term } from "./terms.ts";

/** The last time that a Date can be (ms). */
export const LATEST_MS = 8_640_000_000_000_000;

/** Seconds that a token holds where nothing says otherwise: a day. */
export const DEFAULT_MAX_AGE = 86_400;

const INFINITY = Atom.of("infinity");
const DATA = Atom.of("data");
const SIGNED = Atom.of("signed");

/** Why a token is refused: there is none, it is not one of ours, or it is too old. */
export type TokenRefusal = "missing" | "invalid" | "expired";

/** What reading a token gives. */
export type TokenResult =
  | { readonly ok: true; readonly data: Term }
  | { readonly ok: false; readonly reason: TokenRefusal };

/**
 * Writes the payload of a token.
 *
 * @param maxAge - seconds, or Infinity
 * @throws SIM_ERR_TERM for data that has no form as a term
 */
export function packPayload(data: unknown, signedAtMs: number, maxAge: number): Buffer {
  const age = maxAge === Infinity ? INFINITY : maxAge;
  return encodeTerm(new Tuple([data as Term, signedAtMs, age]));
}

/** What reading a payload gives: with how long it holds; undefined: for ever. */
export type PayloadResult =
  | { readonly ok: true; readonly data: Term; readonly expiresAtMs: number | undefined }
  | { readonly ok: false; readonly reason: TokenRefusal };

/**
 * Reads a payload, and says whether it holds still.
 *
 * @param maxAge - seconds, or Infinity; undefined for what the token says itself
 */
export function unpackPayload(
  payload: Uint8Array,
  maxAge: number | undefined,
  nowMs: number,
): PayloadResult {
  const decoded = tryDecodeTerm(payload);
  const parts = decoded && partsOf(decoded.term);
  if (!parts) return { ok: false, reason: "invalid" };
  const age = maxAge ?? parts.maxAge;
  const refusal = refusalOf(parts.signedAtMs, age, nowMs);
  if (refusal !== undefined) return { ok: false, reason: refusal };
  return { ok: true, data: parts.data, expiresAtMs: endMsOf(parts.signedAtMs, age) };
}

interface Parts {
  readonly data: Term;
  readonly signedAtMs: Term | undefined;
  readonly maxAge: Term | undefined;
}

function partsOf(term: Term): Parts | undefined {
  if (term instanceof Tuple) {
    const [data, signedAtMs, maxAge = DEFAULT_MAX_AGE] = term.elements;
    const isKnown = term.elements.length === 2 || term.elements.length === 3;
    return isKnown && data !== undefined ? { data, signedAtMs, maxAge } : undefined;
  }
  if (!(term instanceof Map)) return undefined;
  const data = term.get(DATA);
  return data === undefined
    ? undefined
    : { data, signedAtMs: term.get(SIGNED), maxAge: DEFAULT_MAX_AGE };
}

function refusalOf(
  signedAtMs: Term | undefined,
  maxAge: Term | undefined,
  nowMs: number,
): TokenRefusal | undefined {
  if (!isNumber(signedAtMs)) return "invalid";
  if (maxAge === INFINITY || maxAge === Infinity) return undefined;
  if (!isNumber(maxAge)) return "invalid";
  if (maxAge <= 0) return "expired";
  // As in Phoenix: a clock that runs ahead of ours makes tokens that do not hold yet.
  if (signedAtMs > nowMs) return "invalid";
  const endMs = endMsOf(signedAtMs, maxAge);
  return endMs !== undefined && endMs < nowMs ? "expired" : undefined;
}

function endMsOf(signedAtMs: Term | undefined, maxAge: Term | undefined): number | undefined {
  if (maxAge === INFINITY || maxAge === Infinity) return undefined;
  return Math.min(Number(signedAtMs) + Math.trunc(Number(maxAge) * 1000), LATEST_MS);
}

function isNumber(term: Term | undefined): term is number | bigint {
  return typeof term === "number" || typeof term === "bigint";
}
