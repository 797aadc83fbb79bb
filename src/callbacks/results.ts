/**
 * What callbacks return: ok, error, reply, stop.
 *
 * Runs on: shard.
 */

import { kindOf, makeError } from "../errors.ts";
import { expiryOf, type Until } from "./expiry.ts";

/** An answer with a status. `ok` and `error` are what clients know; any other string may be used. */
export class Reply<Status extends string = string, Payload = unknown> {
  readonly status: Status;
  readonly payload: Payload;

  constructor(status: Status, payload: Payload) {
    this.status = status;
    this.payload = payload;
  }
}

/** What accepts a connection or a join. */
export interface Ok<Payload> {
  readonly status: "ok";
  readonly payload: Payload;
}

/** What accepts a connection for a time. */
export class OkUntil<Payload = unknown> implements Ok<Payload> {
  readonly status = "ok";
  readonly payload: Payload;
  /** Undefined: for ever. */
  readonly expiresAtMs: number | undefined;

  constructor(payload: Payload, expiresAtMs: number | undefined) {
    this.payload = payload;
    this.expiresAtMs = expiresAtMs;
  }
}

/** What refuses a connection or a join. */
export interface Refused {
  readonly status: "error";
  readonly payload: unknown;
}

/**
 * Why a channel ends. `normal`, `shutdown` and `{ shutdown }` close it, and the client does not
 * come back; anything else is a crash, after which it joins anew (WIRE §1.8, Stop).
 */
export type ExitReason = string | { readonly shutdown: string } | Error;

/** An end, with or without a reply before it. */
export class Stop<Payload = unknown> {
  readonly reason: ExitReason;
  readonly reply: Reply<string, Payload> | undefined;

  constructor(reason: ExitReason, answer: Reply<string, Payload> | undefined) {
    this.reason = reason;
    this.reply = answer;
  }
}

/** What `handleIn` may give; `Payload` is that of its reply with ok. */
export type HandleInResult<Payload = unknown> =
  | void
  | undefined
  | Reply<string, Payload>
  | Ok<Payload>
  | Refused
  | Stop<Payload>;
/** What `intercept` and `handleInfo` may give. */
export type HandleOutResult = void | undefined | Stop;
/** What `join` may give. */
export type JoinResult = Ok<unknown> | Refused;

/**
 * Accepts. In `connect` the payload becomes the assigns, elsewhere it is sent to the client.
 *
 * @param until - in `connect`: how long the connection may last; then it is closed with 3000, unless
 *   `renew` has come before. One that is past refuses the connection.
 * @throws SIM_ERR_OPTION_INVALID where `until` has no time in milliseconds
 */
export function ok<Payload>(payload: Payload, until: Until): OkUntil<Payload>;
export function ok(): Ok<object>;
export function ok<Payload>(payload: Payload): Ok<Payload>;
export function ok(payload: unknown = {}, until?: Until): Reply | OkUntil {
  return until === undefined ? new Reply("ok", payload) : new OkUntil(payload, expiryOf(until));
}

/** Payload of an `error()` without one; a single object, so that `connect` can tell it from `{}`. */
export const NO_REASON: object = Object.freeze({});

/** Refuses, or answers a message with error. The payload is sent to the client. */
export function error(payload: unknown = NO_REASON): Refused {
  return new Reply("error", payload);
}

/** Answers a message with a status and any JSON value; without one, `{}`. */
export function reply<Status extends string, const Payload = object>(
  status: Status,
  payload?: Payload,
): Reply<Status, Payload> {
  return new Reply(status, (payload === undefined ? {} : payload) as Payload);
}

/** Ends the channel. A reply goes out first; see ExitReason for what the client sees then. */
export function stop<Payload = never>(
  reason: ExitReason,
  answer?: Reply<string, Payload> | Ok<Payload> | Refused,
): Stop<Payload> {
  return new Stop(reason, answer as Reply<string, Payload> | undefined);
}

/** True for the reasons that close a channel rather than crash it. */
export function isGraceful(reason: ExitReason): boolean {
  if (reason === "normal" || reason === "shutdown") return true;
  const isObject = typeof reason === "object" && reason !== null;
  return isObject && !(reason instanceof Error) && "shutdown" in reason;
}

/** Makes the error of a callback that gave something else. */
export function badResult(name: string, allowed: string, got: unknown): Error {
  return makeError("SIM_ERR_BAD_RESULT", `${name} must return ${allowed}, got ${shown(got)}`);
}

/** Makes the error of a handler of `handleIn` that gave something else. */
export function badAnswer(event: unknown, got: unknown): Error {
  const allowed =
    "nothing, ok(payload?), error(payload?), reply(status, payload?) or stop(reason, reply?)";
  return badResult(`handleIn of ${shown(event)}`, allowed, got);
}

/** Makes the error of an event that has no handler. */
export function noHandler(name: string, event: unknown): Error {
  return makeError("SIM_ERR_NO_HANDLER", `no handler in ${name} for ${shown(event)}`);
}

/** Shows an event, a reason or a result in a message: text as it is, else what it is. */
export function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : kindOf(value);
}
