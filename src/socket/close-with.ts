/**
 * `closeWith`, whose result a raw socket's callback returns to close the connection with a given
 * code.
 *
 * Runs on: shard. Pure.
 */

import type { ExitReason } from "../callbacks/results.ts";
import { invalidOption } from "../definition-checks.ts";
import { CLOSE } from "../protocol/reserved.ts";

/** A close frame, and the reason for `terminate`. */
export class CloseWith {
  readonly code: number;
  readonly text: string;
  readonly reason: ExitReason;

  constructor(code: number, text: string, reason: ExitReason) {
    this.code = code;
    this.text = text;
    this.reason = reason;
  }
}

/** Code of a normal closure (RFC 6455 §7.4.1). */
const NORMAL_CODE = 1000;
/** Maximum number of bytes of text that a close frame can carry after the code (RFC 6455 §5.5). */
const MOST_TEXT_BYTES = 123;

/**
 * Closes the connection of a raw socket with a code.
 *
 * @param code - 3000 to 4999, or a code that RFC 6455 lets an endpoint send: 1000 to 1003, 1007 to
 *   1014. Over long-poll, which has no codes, the session ends without one
 * @param text - at most 123 bytes, which clients see as the reason
 * @param reason - the reason passed to `terminate`
 * @throws SIM_ERR_OPTION_INVALID if a close frame cannot carry the code or the text
 */
export function closeWith(code: number, text = "", reason: ExitReason = "normal"): CloseWith {
  if (!mayBeSent(code)) {
    const message = `code must be 1000 to 1003, 1007 to 1014 or 3000 to 4999, got ${String(code)}`;
    throw invalidOption(message);
  }
  if (typeof text !== "string" || Buffer.byteLength(text) > MOST_TEXT_BYTES) {
    const got = typeof text === "string" ? `${Buffer.byteLength(text)} (bytes)` : typeof text;
    const message = `text must be a string of at most ${MOST_TEXT_BYTES} (bytes), got ${got}`;
    throw invalidOption(message);
  }
  return new CloseWith(code, text, reason);
}

/** Returns the close code for the reason of a `stop`. */
export function closeCodeOf(reason: ExitReason): number {
  if (reason === "normal") return NORMAL_CODE;
  const isRestart =
    typeof reason === "object" && "shutdown" in reason && reason.shutdown === "restart";
  return isRestart ? CLOSE.restart : CLOSE.internalError;
}

function mayBeSent(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  return (
    (code >= 1000 && code <= 1003) ||
    (code >= 1007 && code <= 1014) ||
    (code >= 3000 && code <= 4999)
  );
}
