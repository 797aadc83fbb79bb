/**
 * Session cookies of Plug applications, read with the application's secret.
 *
 * Runs on: any thread.
 */

import type { KeyCache } from "./key-cache.ts";
import { tryDecryptMessage } from "./message-encryptor.ts";
import { tryVerifyMessage } from "./message-verifier.ts";
import { tryDecodeTerm } from "./term-decoder.ts";
import type { Term } from "./terms.ts";
import {
  checkNames,
  checkSalt,
  checkSessionSecret,
  keyShapeOf,
  ROTATED_OPTIONS,
  SESSION_OPTIONS,
  type KeyUse,
  type RotatedOptions,
  type SessionOptions,
} from "./token-options.ts";

/** Data of a session, by key. */
export interface Session {
  [key: string]: Term;
}

/** Result of reading a session cookie. */
export type SessionResult =
  | { readonly ok: true; readonly data: Session }
  | { readonly ok: false; readonly reason: "missing" | "invalid" };

/**
 * Reads the session in a cookie's value.
 *
 * @throws SIM_ERR_OPTION_INVALID for invalid options
 */
export function readSession(
  keys: KeyCache,
  cookie: string | undefined,
  options: SessionOptions,
): SessionResult {
  const { secretKeyBase, rotatingOptions = [], ...current } = options;
  checkNames(options, SESSION_OPTIONS);
  checkSessionSecret(secretKeyBase);
  const ways = [current, ...rotatingOptions];
  for (const way of ways) checkWay(way);
  if (cookie === undefined) return { ok: false, reason: "missing" };
  for (const way of ways) {
    const message = tryReadCookie(keys, cookie, secretKeyBase, way);
    // As in Plug, the first options that match the cookie are used, even if its content is invalid.
    if (message) return sessionOf(message);
  }
  return { ok: false, reason: "invalid" };
}

function checkWay(way: RotatedOptions): void {
  checkNames(way, ROTATED_OPTIONS);
  checkSalt("signingSalt", way.signingSalt);
  if (way.encryptionSalt !== undefined) checkSalt("encryptionSalt", way.encryptionSalt);
  keyShapeOf(way, useOf(way));
}

function useOf({ encryptionSalt }: RotatedOptions): KeyUse {
  return encryptionSalt === undefined ? "sign" : "decrypt";
}

function tryReadCookie(
  keys: KeyCache,
  cookie: string,
  secretKeyBase: string,
  way: RotatedOptions,
): Buffer | undefined {
  const shape = keyShapeOf(way, useOf(way));
  const signKey = keys.derive(secretKeyBase, way.signingSalt, shape);
  if (way.encryptionSalt === undefined) return tryVerifyMessage(cookie, signKey);
  const secret = keys.derive(secretKeyBase, way.encryptionSalt, shape);
  return tryDecryptMessage(cookie, { secret, signSecret: signKey });
}

function sessionOf(message: Buffer): SessionResult {
  const term = tryDecodeTerm(message)?.term;
  return isSession(term) ? { ok: true, data: term } : { ok: false, reason: "invalid" };
}

/** Reports whether a term is a map whose keys are all text, as written by Plug. */
function isSession(term: Term | undefined): term is Session {
  if (typeof term !== "object" || term === null) return false;
  return Object.getPrototypeOf(term) === Object.prototype;
}
