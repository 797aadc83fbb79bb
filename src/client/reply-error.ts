/**
 * Why there is no reply to be had: refused, too late, or lost with its channel.
 *
 * Runs on: a client, in a browser or elsewhere. Imports nothing that runs.
 */

import type { ErrorCode } from "../errors.ts";

/** What a promise of the client is rejected with, but for an abort: that gives the signal's reason. */
export interface ReplyError extends Error {
  readonly code: ErrorCode &
    ("SIM_ERR_REPLY_REFUSED" | "SIM_ERR_REPLY_TIMEOUT" | "SIM_ERR_REPLY_LOST");
  /** Payload of a reply with status error; undefined where none came. */
  readonly response: unknown;
}

/** Makes one. */
export function replyError(
  code: ReplyError["code"],
  message: string,
  response?: unknown,
): ReplyError {
  return Object.assign(new Error(message), { code, response });
}
