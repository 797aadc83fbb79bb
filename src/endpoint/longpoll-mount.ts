/**
 * Options of a mount's long-poll, as users give them.
 *
 * Runs on: shard.
 */

import { checkOption } from "../options/options.ts";
import { checkKeyOptions, KEY_OPTIONS } from "../token/token-options.ts";
import { HANDSHAKE_KEYS, type HandshakeOptions } from "../transport/handshake/handshake-options.ts";
import type { LongPollOptions } from "../transport/longpoll/longpoll-transport.ts";
import { checkKeys, checkObject, checkPath } from "../definition-checks.ts";

/** Options of a mount's long-poll. What of them the mount has too wins over it. */
export interface LongPollMountOptions
  extends Partial<LongPollOptions>, Pick<HandshakeOptions, LongPollHandshakeKey> {
  /** Path behind that of the mount, which may have variables; `/longpoll` without. */
  readonly path?: string;
}

/** Those that stand for an answer that long-poll has no way to give are of WebSocket alone. */
type LongPollHandshakeKey = Exclude<keyof HandshakeOptions, "subprotocols" | "errorHandler">;

/** What of a mount is looked at here. */
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

/** Gives the options of a mount's long-poll; undefined: it has none. */
export function longpollOptionsOf({
  longpoll = false,
}: LongPollMount): LongPollMountOptions | undefined {
  if (longpoll === false) return undefined;
  return longpoll === true ? {} : longpoll;
}

/** Gives the whole path of a mount's long-poll. */
export function longpollPathOf(path: string, { path: own }: LongPollMountOptions): string {
  return `${path === "/" ? "" : path}${own ?? DEFAULT_PATH}`;
}

/** Checks the options. @throws SIM_ERR_DEFINITION_INVALID, SIM_ERR_OPTION_INVALID */
export function checkLongPoll(path: string, given: unknown): void {
  if (given === undefined || typeof given === "boolean") return;
  checkObject(`longpoll of ${path}`, given, "true, false or an object");
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
  checkKeys(subject, crypto, KEY_OPTIONS);
  checkKeyOptions(subject, crypto);
}
