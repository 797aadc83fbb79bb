/**
 * Frames of a client that has joined `room:1` as "11", and values that are no results.
 *
 * Runs on: the test's thread.
 */

import { ok } from "../../src/callbacks/results.ts";

/** Its join. */
export const JOIN = '["11","1","room:1","phx_join",{}]';
/** The answer to its join. */
export const JOINED = '["11","1","room:1","phx_reply",{"status":"ok","response":{}}]';
/** The end of a channel that crashed. */
export const CRASHED = '["11","11","room:1","phx_error",{"reason":"channel_crash"}]';
/** The end of a channel that was left or has stopped. */
export const CLOSED = '["11","11","room:1","phx_close",{}]';

/** Returns a frame of the client. */
export function push(event: string, ref = "2", payload: unknown = {}): string {
  return JSON.stringify(["11", ref, "room:1", event, payload]);
}

/** Returns the frame of a reply. */
export function replied(response: unknown, status = "ok", ref = "2"): string {
  return JSON.stringify(["11", ref, "room:1", "phx_reply", { status, response }]);
}

/** Throws. */
export function boom(): never {
  throw new Error("boom");
}

/** Values that no callback may return, and what the message about them calls each. */
export const NO_RESULTS: readonly [unknown, string][] = [
  [null, "null"],
  [true, "boolean"],
  ["ok", '"ok"'],
  [{ status: "ok", payload: {} }, "object"],
  [[], "array"],
  [ok, "function"],
];
