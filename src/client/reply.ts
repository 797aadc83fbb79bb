/**
 * The reply to a push of the official client, as a promise.
 *
 * Runs on: a client, in a browser or elsewhere.
 * Owns: an entry among the channel's pending replies and a listener on the signal, until the reply
 *       settles.
 */

import type { ErrorCode } from "../errors.ts";

/** The part of the official client's `Push` that is used here. */
export interface PhoenixPush {
  receive(status: string, callback: (response: unknown) => void): unknown;
}

/** Options for waiting for a reply. */
export interface RequestOptions {
  /** Time limit for the reply (ms). Default: the socket's `timeout`, which is 10 000 by default. */
  readonly timeoutMs?: number;
  /** Stops waiting when aborted. The server may still handle the message. */
  readonly signal?: AbortSignal;
}

/**
 * Thrown if a reply is an error or does not arrive. After an abort, promises reject with the
 * signal's reason instead.
 */
export interface ReplyError extends Error {
  readonly code: ErrorCode &
    ("SIM_ERR_REPLY_REFUSED" | "SIM_ERR_REPLY_TIMEOUT" | "SIM_ERR_REPLY_LOST");
  /** Payload of a reply with status `error`; undefined if there was no reply. */
  readonly response: unknown;
}

/** Rejects a pending reply. */
export type GiveUp = (reason: unknown) => void;

/** Creates a ReplyError. */
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
 * @param what - description of the message, for errors
 * @param open - contains a function that rejects the reply while it is pending
 * @throws ReplyError or the signal's reason, as a rejection
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
