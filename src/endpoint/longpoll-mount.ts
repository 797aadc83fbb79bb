/**
 * Options of a mount's long-poll.
 *
 * Runs on: shard.
 */

import { kindOf } from "../errors.ts";
import { checkOption } from "../options/options.ts";
import { checkKeyOptions, KEY_OPTIONS, type KeyOptions } from "../token/token-options.ts";
import { HANDSHAKE_KEYS, type HandshakeOptions } from "../transport/handshake/handshake-options.ts";
import type { LongPollOptions } from "../transport/longpoll/longpoll-transport.ts";
import { checkKeys, checkObject, checkPath, invalid } from "../definition-checks.ts";

/** Options of a mount's long-poll. They override those of the mount. */
export interface LongPollMountOptions
  extends Partial<LongPollOptions>, Pick<HandshakeOptions, LongPollHandshakeKey> {
  /** Path after that of the mount; may contain variables. Default: `/longpoll`. */
  readonly path?: string;
}

/** All keys except those for responses that only a WebSocket handshake can give. */
type LongPollHandshakeKey = Exclude<keyof HandshakeOptions, "subprotocols" | "errorHandler">;

/** The part of a mount that is used here. */
interface LongPollMount {
  readonly longpoll?: boolean | LongPollMountOptions;
}

const KEYS: readonly string[] = [
  "windowMs",
  "pubsubTimeoutMs",
  "maxAgeMs",
  "crypto",
  "path",
  ...HANDSHAKE_KEYS.filter((key) => key !== "subprotocols" && key !== "errorHandler"),
];
const DEFAULT_PATH = "/longpoll";

/** Returns the options of a mount's long-poll; undefined if it has none. */
export function longpollOptionsOf({
  longpoll = false,
}: LongPollMount): LongPollMountOptions | undefined {
  if (longpoll === false) return undefined;
  return longpoll === true ? {} : longpoll;
}

/** Returns the full path of a mount's long-poll. */
export function longpollPathOf(path: string, { path: own }: LongPollMountOptions): string {
  return `${path === "/" ? "" : path}${own ?? DEFAULT_PATH}`;
}

/** Checks the options. @throws SIM_ERR_DEFINITION_INVALID, SIM_ERR_OPTION_INVALID */
export function checkLongPoll(path: string, given: unknown): void {
  if (given === undefined || typeof given === "boolean") return;
  if (typeof given !== "object" || given === null) {
    throw invalid(`longpoll of ${path} must be true, false or an object, got ${kindOf(given)}`);
  }
  checkKeys(`longpoll of ${path}`, given, KEYS);
  const { windowMs, pubsubTimeoutMs, maxAgeMs, crypto, path: own } = given as LongPollMountOptions;
  if (own !== undefined) checkPath(`longpoll path of ${path}`, own);
  if (windowMs !== undefined) checkOption("longpollWindowMs", `windowMs of ${path}`, windowMs);
  if (pubsubTimeoutMs !== undefined) {
    checkOption("longpollTimeoutMs", `pubsubTimeoutMs of ${path}`, pubsubTimeoutMs);
  }
  if (maxAgeMs !== undefined) checkOption("longpollMaxAgeMs", `maxAgeMs of ${path}`, maxAgeMs);
  if (crypto !== undefined) checkCrypto(`crypto of ${path}`, crypto);
}

function checkCrypto(subject: string, crypto: unknown): void {
  checkObject(subject, crypto);
  checkKeys(subject, crypto as object, KEY_OPTIONS);
  checkKeyOptions(subject, crypto as KeyOptions);
}
