/**
 * Phoenix.Token: tokens that a Phoenix application and this server create for each other.
 *
 * Runs on: any thread; each derives its keys once.
 * Full:    256 derived keys are cached; the least recently used is dropped.
 */

import { KeyCache } from "./key-cache.ts";
import { encryptMessage, tryDecryptMessage } from "./message-encryptor.ts";
import { signMessage, tryVerifyMessage } from "./message-verifier.ts";
import {
  DEFAULT_MAX_AGE_MS,
  packPayload,
  unpackPayload,
  type PayloadResult,
  type TokenResult,
} from "./payload.ts";
import { readSession, type SessionResult } from "./session.ts";
import { MAX_TERM_BYTES } from "./term-format.ts";
import { Atom, Bitstring, ImproperList, Tuple, type Term } from "./terms.ts";
import {
  checkMaxAge,
  checkNames,
  checkSalt,
  checkSecret,
  keyShapeOf,
  SIGN_OPTIONS,
  signedAtMsOf,
  VERIFY_OPTIONS,
  type KeyOptions,
  type KeyUse,
  type SessionOptions,
  type SignOptions,
  type VerifyOptions,
} from "./token-options.ts";

const KEYS = new KeyCache(256);
const NO_SIGN_SECRET = Buffer.alloc(0);
/** Maximum length of a token (characters): the longest term in base64, plus room for the rest. */
const MAX_TOKEN_LENGTH = Math.ceil((MAX_TERM_BYTES * 4) / 3) + 256;

/**
 * Signs data. Anyone can read the token, but nobody can change it.
 *
 * @param secretKeyBase - the application's secret, of at least 20 bytes
 * @param salt - purpose of the token, such as "user auth"; needed to verify it
 * @param data - see the table of representations in `src/token/README.md`
 * @throws SIM_ERR_OPTION_INVALID for an invalid secret, salt or option
 * @throws SIM_ERR_TERM if the data cannot be represented as a term
 */
function sign(
  secretKeyBase: string,
  salt: string,
  data: unknown,
  options: SignOptions = {},
): string {
  checkNames(options, SIGN_OPTIONS);
  const key = keyOf(secretKeyBase, salt, options, "sign");
  return signMessage(payloadOf(data, options), key);
}

/**
 * Verifies a token created by `sign`, here or in Phoenix, and returns its data.
 *
 * @param token - the client's value, of any type; null and undefined count as missing
 * @throws SIM_ERR_OPTION_INVALID for an invalid secret, salt or option, but never for an invalid
 *   token
 */
function verify(
  secretKeyBase: string,
  salt: string,
  token: unknown,
  options: VerifyOptions = {},
): TokenResult {
  return resultOf(openSigned(secretKeyBase, salt, token, options));
}

/**
 * Encrypts data, so that nobody else can read or change it. Has the same parameters as `sign`.
 *
 * @throws SIM_ERR_OPTION_INVALID for an invalid secret, salt or option
 * @throws SIM_ERR_TERM if the data cannot be represented as a term
 */
function encrypt(
  secretKeyBase: string,
  salt: string,
  data: unknown,
  options: SignOptions = {},
): string {
  checkNames(options, SIGN_OPTIONS);
  const key = keyOf(secretKeyBase, salt, options, "encrypt");
  return encryptMessage(payloadOf(data, options), key);
}

/**
 * Decrypts a token created by `encrypt`, here or in Phoenix, and returns its data.
 *
 * @param token - the client's value, of any type; null and undefined count as missing
 * @throws SIM_ERR_OPTION_INVALID for an invalid secret, salt or option, but never for an invalid
 *   token
 */
function decrypt(
  secretKeyBase: string,
  salt: string,
  token: unknown,
  options: VerifyOptions = {},
): TokenResult {
  return resultOf(openEncrypted(secretKeyBase, salt, token, options));
}

/** Verifies a token as `verify` does, and also returns its expiry time. */
export function openSigned(
  secretKeyBase: string,
  salt: string,
  token: unknown,
  options: VerifyOptions,
): PayloadResult {
  checkNames(options, VERIFY_OPTIONS);
  const key = keyOf(secretKeyBase, salt, options, "sign");
  return read(token, options, (text) => tryVerifyMessage(text, key));
}

/** Decrypts a token as `decrypt` does, and also returns its expiry time. */
export function openEncrypted(
  secretKeyBase: string,
  salt: string,
  token: unknown,
  options: VerifyOptions,
): PayloadResult {
  checkNames(options, VERIFY_OPTIONS);
  const secret = keyOf(secretKeyBase, salt, options, "decrypt");
  const keys = { secret, signSecret: NO_SIGN_SECRET };
  return read(token, options, (text) => tryDecryptMessage(text, keys));
}

/**
 * Reads the session in a Plug application's cookie.
 *
 * @param cookie - the cookie's value, without its name
 * @throws SIM_ERR_OPTION_INVALID for an invalid option, but never for an invalid cookie
 */
function verifySession(cookie: unknown, options: SessionOptions): SessionResult {
  const isMissing = cookie === null || cookie === undefined;
  return readSession(KEYS, isMissing ? undefined : textOf(cookie), options);
}

/** Returns an atom, `:user` in Elixir; the same object for the same name. */
function atom(name: string): Atom {
  return Atom.of(name);
}

/** Returns a tuple, `{:user, 5}` in Elixir. */
function tuple(...elements: readonly Term[]): Tuple {
  return new Tuple(elements);
}

/** Phoenix.Token, and the Elixir values that have no counterpart in JavaScript. */
export const Token = Object.freeze({
  sign,
  verify,
  encrypt,
  decrypt,
  verifySession,
  atom,
  tuple,
  Atom,
  Tuple,
  ImproperList,
  Bitstring,
});

function keyOf(secretKeyBase: string, salt: string, options: KeyOptions, use: KeyUse): Buffer {
  checkSecret(secretKeyBase);
  checkSalt("salt", salt);
  return KEYS.derive(secretKeyBase, salt, keyShapeOf(options, use));
}

function payloadOf(
  data: unknown,
  { signedAtMs = Date.now(), maxAgeMs = DEFAULT_MAX_AGE_MS }: SignOptions,
): Buffer {
  checkMaxAge(maxAgeMs);
  return packPayload(data, signedAtMsOf(signedAtMs), maxAgeMs);
}

function read(
  token: unknown,
  { maxAgeMs }: VerifyOptions,
  open: (token: string) => Buffer | undefined,
): PayloadResult {
  if (maxAgeMs !== undefined) checkMaxAge(maxAgeMs);
  if (token === null || token === undefined) return { ok: false, reason: "missing" };
  const payload = open(textOf(token));
  return payload ? unpackPayload(payload, maxAgeMs, Date.now()) : { ok: false, reason: "invalid" };
}

function resultOf(result: PayloadResult): TokenResult {
  return result.ok ? { ok: true, data: result.data } : result;
}

/**
 * Returns a token as text; for a value that cannot be a token, returns "", which is never valid.
 */
function textOf(token: unknown): string {
  return typeof token === "string" && token.length <= MAX_TOKEN_LENGTH ? token : "";
}
