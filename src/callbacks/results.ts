/**
 * Results of callbacks: ok, error, reply and stop.
 *
 * Runs on: shard.
 */

import { kindOf, makeError } from "../errors.ts";
import "../package-copy.ts";
import { expiryOf, type Until } from "./expiry.ts";

/** An answer with a status. Clients know `ok` and `error`; any other string may be used. */
export class Reply<Status extends string = string, Payload = unknown> {
  readonly status: Status;
  readonly payload: Payload;

  constructor(status: Status, payload: Payload) {
    this.status = status;
    this.payload = payload;
  }
}

/** A result that accepts a connection or a join. */
export interface Ok<Payload> {
  readonly status: "ok";
  readonly payload: Payload;
}

/** A result that accepts a connection until it expires. */
export class OkUntil<Payload = unknown> implements Ok<Payload> {
  readonly status = "ok";
  readonly payload: Payload;
  /** Undefined if the connection never expires. */
  readonly expiresAtMs: number | undefined;

  constructor(payload: Payload, expiresAtMs: number | undefined) {
    this.payload = payload;
    this.expiresAtMs = expiresAtMs;
  }
}

/** A result that refuses a connection or a join. */
export interface Refused {
  readonly status: "error";
  readonly payload: unknown;
}

/**
 * The reason why a channel ends. `normal`, `shutdown` and `{ shutdown }` close the channel, and the
 * client does not join again. Anything else is a crash, after which the client joins again.
 */
export type ExitReason = string | { readonly shutdown: string } | Error;

/** A result that ends a channel, optionally after a reply. */
export class Stop<Payload = unknown> {
  readonly reason: ExitReason;
  readonly reply: Reply<string, Payload> | undefined;

  constructor(reason: ExitReason, answer: Reply<string, Payload> | undefined) {
    this.reason = reason;
    this.reply = answer;
  }
}

/** Result of `handleIn`. `Payload` is the payload of its ok reply. */
export type HandleInResult<Payload = unknown> =
  | void
  | undefined
  | Reply<string, Payload>
  | Ok<Payload>
  | Refused
  | Stop<Payload>;
/** Result of `intercept`, `handleInfo` and other callbacks that do not answer a message. */
export type HandleOutResult = void | undefined | Stop;
/** Result of `join`. */
export type JoinResult = Ok<unknown> | Refused;

/**
 * Accepts a connection or a join, or answers a message with ok. In `connect` the payload becomes the
 * assigns; elsewhere it is sent to the client.
 *
 * @param until - in `connect`: the time at which the connection expires. It is then closed with
 *   3000 unless `renew` was called before. A time in the past refuses the connection
 * @throws SIM_ERR_OPTION_INVALID if `until` has no time in milliseconds
 */
export function ok<Payload>(payload: Payload, until: Until): OkUntil<Payload>;
export function ok(): Ok<object>;
export function ok<Payload>(payload: Payload): Ok<Payload>;
export function ok(payload: unknown = {}, until?: Until): Reply | OkUntil {
  return until === undefined ? new Reply("ok", payload) : new OkUntil(payload, expiryOf(until));
}

/**
 * Payload of `error()` without an argument. A single shared object that `connect` can distinguish
 * from `{}`.
 */
export const NO_REASON: object = Object.freeze({});

/**
 * Refuses a connection or a join, or answers a message with error. The payload is sent to the
 * client.
 */
export function error(payload: unknown = NO_REASON): Refused {
  return new Reply("error", payload);
}

/** Answers a message with a status and any JSON value, which defaults to `{}`. */
export function reply<Status extends string, const Payload = object>(
  status: Status,
  payload?: Payload,
): Reply<Status, Payload> {
  return new Reply(status, (payload === undefined ? {} : payload) as Payload);
}

/** Ends the channel. The reply, if any, is sent first. See ExitReason for what the client sees. */
export function stop<Payload = never>(
  reason: ExitReason,
  answer?: Reply<string, Payload> | Ok<Payload> | Refused,
): Stop<Payload> {
  return new Stop(reason, answer as Reply<string, Payload> | undefined);
}

/** Reports whether a reason closes a channel rather than crashing it. */
export function isGraceful(reason: ExitReason): boolean {
  if (reason === "normal" || reason === "shutdown") return true;
  if (typeof reason !== "object" || reason === null) return false;
  try {
    return !(reason instanceof Error) && "shutdown" in reason;
  } catch {
    // A Proxy of user code threw.
    return false;
  }
}

/** Creates the error for an invalid result of a callback. */
export function badResult(name: string, allowed: string, got: unknown): Error {
  return makeError("SIM_ERR_BAD_RESULT", `${name} must return ${allowed}, got ${shown(got)}`);
}

/**
 * Reads the result of `join`. A Proxy may throw at any property.
 *
 * @throws SIM_ERR_BAD_RESULT for anything but `ok` and `error`
 */
export function joinResultOf(result: unknown): { status: "ok" | "error"; payload: unknown } {
  if (result instanceof Reply) {
    const { status, payload } = result;
    if (status === "ok" || status === "error") return { status, payload };
  }
  throw badResult("join", "ok(payload?) or error(payload?)", result);
}

/**
 * Reads the result of a callback that may return nothing or a stop.
 *
 * @throws SIM_ERR_BAD_RESULT for anything but a stop
 */
export function stopReasonOf(name: string, result: unknown): ExitReason {
  if (!(result instanceof Stop)) throw badResult(name, "nothing or stop(reason)", result);
  return result.reason;
}

/** Creates the error for an invalid result of a handler of `handleIn`. */
export function badAnswer(event: unknown, got: unknown): Error {
  const allowed =
    "nothing, ok(payload?), error(payload?), reply(status, payload?) or stop(reason, reply?)";
  return badResult(`handleIn of ${shown(event)}`, allowed, got);
}

/** Creates the error for an event without a handler. */
export function noHandler(name: string, event: unknown): Error {
  return makeError("SIM_ERR_NO_HANDLER", `no handler in ${name} for ${shown(event)}`);
}

/**
 * Formats an event, a reason or a result for messages: a string in quotes, any other value as its
 * kind.
 */
export function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : kindOf(value);
}
