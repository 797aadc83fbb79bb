/**
 * A push of the official client as a promise, with a time limit and an abort.
 *
 * Runs on: a client, in a browser or elsewhere.
 * Owns: its place among the channel's open replies, and its listener on the signal, until it settles.
 */

import type { PhoenixPush } from "./phoenix.ts";
import { replyError } from "./reply-error.ts";

/** How long, and until what, a reply is waited for. */
export interface RequestOptions {
  /** Most milliseconds until the reply; the socket's `timeout` without, which is 10 000. */
  readonly timeoutMs?: number;
  /** Ends the wait; what was sent is not taken back. */
  readonly signal?: AbortSignal;
}

/** Gives a reply up that is waited for. */
export type GiveUp = (reason: unknown) => void;

/**
 * Waits for the reply to a push.
 *
 * @param what - what was sent, for messages
 * @param open - where what gives it up is found meanwhile; undefined: nobody does
 * @throws ReplyError, or the signal's reason; as rejections
 */
export async function awaitedReply<Response>(
  what: string,
  push: PhoenixPush,
  { signal }: RequestOptions,
  open?: Set<GiveUp>,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => settle(reject, signal?.reason);
    const settle = <Value>(how: (value: Value) => void, value: Value): void => {
      open?.delete(giveUp);
      signal?.removeEventListener("abort", aborted);
      how(value);
    };
    const giveUp = (reason: unknown): void => settle(reject, reason);
    open?.add(giveUp);
    signal?.addEventListener("abort", aborted);
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
