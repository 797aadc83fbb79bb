/**
 * Options of a mount's long-poll.
 *
 * Runs on: shard.
 */

import { checkKeys, checkObject, checkPath } from "../../definition-checks.ts";
import { checkOption } from "../../options/options.ts";
import { checkKeyOptions, KEY_OPTIONS, type KeyOptions } from "../../token/token-options.ts";
import { HANDSHAKE_KEYS, type HandshakeOptions } from "../handshake/handshake-options.ts";
import { joinPaths } from "../http/path.ts";

/** Options of long-poll. */
export interface LongPollOptions {
  /**
   * Time that a poll waits for messages, and that a POST waits for the handling of each message
   * (ms).
   */
  readonly windowMs: number;
  /** Time for another shard to find a session (ms). */
  readonly pubsubTimeoutMs: number;
  /** Time for which the token of a session is valid (ms). */
  readonly maxAgeMs: number;
  /**
   * Options for deriving the key of the tokens: Phoenix's `crypto`, with `maxAgeMs` for `max_age`.
   */
  readonly crypto: KeyOptions;
}

/** Options of a mount's long-poll. They override those of the mount. */
export interface LongPollMountOptions
  extends Partial<LongPollOptions>, Pick<HandshakeOptions, LongPollHandshakeKey> {
  /** Path after that of the mount; may contain variables. Default: `/longpoll`. */
  readonly path?: string;
}

/** Subprotocols and custom refusals exist for WebSocket only. */
type LongPollHandshakeKey = Exclude<keyof HandshakeOptions, "subprotocols" | "errorHandler">;

const DEFAULT_PATH = "/longpoll";

const KEYS: readonly string[] = [
  "windowMs",
  "pubsubTimeoutMs",
  "maxAgeMs",
  "crypto",
  "path",
  ...HANDSHAKE_KEYS.filter((key) => key !== "subprotocols" && key !== "errorHandler"),
];

/** Returns the options of a mount's long-poll, or undefined if it is off. */
export function longpollOptionsOf({
  longpoll = false,
}: {
  readonly longpoll?: boolean | LongPollMountOptions;
}): LongPollMountOptions | undefined {
  if (longpoll === false) return undefined;
  return longpoll === true ? {} : longpoll;
}

/** Returns the path at which a mount's long-poll is served. @param mountPath - that of the mount */
export function longpollPathOf(
  mountPath: string,
  { path = DEFAULT_PATH }: LongPollMountOptions,
): string {
  return joinPaths(mountPath, path);
}

/** Checks the options. @throws SIM_ERR_DEFINITION_INVALID, SIM_ERR_OPTION_INVALID */
export function checkLongPollOptions(path: string, given: unknown): void {
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
