/**
 * The reply to a push of the official client, as a promise.
 *
 * Runs on: a client, in a browser or elsewhere.
 * Owns: until it settles, an entry among the channel's open replies and a listener on the signal.
 */

import type { ErrorCode } from "../errors.ts";

/** A push of the official client; the part that is used here. */
export interface PhoenixPush {
  receive(status: string, callback: (response: unknown) => void): unknown;
}

/** How long to wait for a reply. */
export interface RequestOptions {
  /** How long to wait for the reply (ms). Default: the socket's `timeout`, which is 10 000. */
  readonly timeoutMs?: number;
  /** Aborting it ends the wait. The server may still handle what was sent. */
  readonly signal?: AbortSignal;
}

/** Why there is no reply. After an abort, promises reject with the signal's reason instead. */
export interface ReplyError extends Error {
  readonly code: ErrorCode &
    ("SIM_ERR_REPLY_REFUSED" | "SIM_ERR_REPLY_TIMEOUT" | "SIM_ERR_REPLY_LOST");
  /** Payload of a reply with status `error`; undefined if there was no reply. */
  readonly response: unknown;
}

/** Rejects one open reply. */
export type GiveUp = (reason: unknown) => void;

/** Makes a ReplyError. */
export function replyError(
  code: ReplyError["code"],
  message: string,
  response?: unknown,
): ReplyError {
  return Object.assign(new Error(message), { code, response });
}

/**
 * Waits for the reply to a push.
 *
 * @param what - what was sent, for messages
 * @param open - contains a function that rejects the reply, as long as it is waited for
 * @throws ReplyError, or the signal's reason; as rejections
 */
export async function awaitReply<Response>(
  what: string,
  push: PhoenixPush,
  { signal }: RequestOptions,
  open?: Set<GiveUp>,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => settle(reject, signal?.reason);
    const settle = <Value>(how: (value: Value) => void, value: Value): void => {
      open?.delete(giveUp);
      signal?.removeEventListener("abort", onAbort);
      how(value);
    };
    const giveUp = (reason: unknown): void => settle(reject, reason);
    open?.add(giveUp);
    signal?.addEventListener("abort", onAbort);
    push.receive("ok", (response) => settle(resolve, response as Response));
    push.receive("error", (response) => {
      const message = `${what} must be accepted, got ${JSON.stringify(response)}`;
      settle(reject, replyError("SIM_ERR_REPLY_REFUSED", message, response));
    });
    push.receive("timeout", () => {
      settle(reject, replyError("SIM_ERR_REPLY_TIMEOUT", `${what} must be answered in time`));
    });
  });
}
