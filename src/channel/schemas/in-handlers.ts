/**
 * Creates the handlers for a channel's events from `handleIn` and the declarations in `in`.
 *
 * Runs on: shard; created with the definition.
 */

import type { StandardSchemaV1 } from "@standard-schema/spec";

import { checkCount, checkFunction, invalid } from "../../definition-checks.ts";
import { kindOf } from "../../errors.ts";
import type { Rate } from "../../limits/rate.ts";
import { nearestHint } from "../../nearest-name.ts";
import type { Message } from "../../protocol/message.ts";
import { EVENT } from "../../protocol/reserved.ts";
import { isThenable } from "../../callbacks/promises.ts";
import { isNested } from "./json-value.ts";
import {
  checked,
  isOversize,
  OversizePayload,
  type PayloadCallback,
  type SentBy,
} from "./payload-check.ts";
import { payloadWriter, type PayloadWriter } from "./payload-writer.ts";
import { Reply, Stop } from "../../callbacks/results.ts";
import { asVerbatim, isVerbatim, type Incoming } from "../verbatim.ts";

/** A handler in `handleIn`, in the form that the runtime uses. */
export interface InHandler {
  readonly handle: PayloadCallback;
  /**
   * Prepares a message for the handler, using the frame that contained it. If undefined, the
   * handler receives the message unchanged, and the frame need not be kept.
   */
  readonly intake: Intake | undefined;
  /** Maximum rate of this event per client. Undefined: not limited. */
  readonly rate: Rate | undefined;
}

/** A channel whose event has a writer for its replies. */
export interface WritesReplies {
  /** Writes ok replies to the message that is being handled, if they have a JSON Schema. */
  replyWriter?: PayloadWriter | undefined;
}

type Intake = (channel: SentBy, message: Message, frame: string | undefined) => Incoming;
type Given = Readonly<Record<string, unknown>>;

const EVENT_KEYS = ["payload", "reply", "maxBytes", "rate"];
const MOST_BYTES = 2_147_483_647;

/**
 * Creates the handlers by event. Returns a map, so that looking up an event called `constructor`
 * finds only user handlers.
 *
 * @throws SIM_ERR_DEFINITION_INVALID
 */
export function inHandlersOf(handleIn: Given = {}, declared: Given = {}): Map<unknown, InHandler> {
  for (const event of Object.keys(declared)) {
    if (Object.hasOwn(handleIn, event)) continue;
    throw invalid(`in.${event} must have a handler in handleIn, got none`);
  }
  const found = new Map<unknown, InHandler>();
  for (const [event, handler] of Object.entries(handleIn)) {
    checkFunction(`handleIn.${event}`, handler);
    if (event === EVENT.join || event === EVENT.leave) {
      const callback = event === EVENT.join ? "join" : "terminate";
      throw invalid(`handleIn must have no ${event}, which is handled by ${callback}`);
    }
    const declaration = Object.hasOwn(declared, event) ? declared[event] : {};
    found.set(event, inHandlerOf(event, handler as PayloadCallback, declaration));
  }
  return found;
}

/** Returns the rates of all events that have a rate limit. */
export function ratesOf(handlers: ReadonlyMap<unknown, InHandler>): Map<string, Rate> {
  const found = new Map<string, Rate>();
  for (const [event, { rate }] of handlers) if (rate) found.set(String(event), rate);
  return found;
}

/**
 * Wraps `join` so that it runs only if its parameters match a schema. @throws
 * SIM_ERR_DEFINITION_INVALID
 */
export function joinOf(join: PayloadCallback, params: unknown): PayloadCallback {
  if (params === undefined) return join;
  if (!isSchema(params)) throw invalid(`params must be ${SCHEMA}, got ${kindOf(params)}`);
  return checksPayloads(params) ? checked(params, join) : join;
}

/** Reports whether a value is a Standard Schema from any library, or was created by `typed`. */
export function isSchema(value: unknown): value is StandardSchemaV1 {
  return (isNested(value) || typeof value === "function") && "~standard" in value;
}

/**
 * Reports whether a value is a JSON Schema instead of a Standard Schema. zod hides a Standard Schema
 * in the JSON Schemas that it makes.
 */
export function isJsonSchema(value: unknown): value is object {
  if (!isNested(value)) return false;
  if (!("~standard" in value) || Object.hasOwn(value, "$schema")) return true;
  return Object.getOwnPropertyDescriptor(value, "~standard")?.enumerable === false;
}

/** Description of a valid schema, for error messages. */
export const SCHEMA = "a Standard Schema or typed()";

function inHandlerOf(event: string, handler: PayloadCallback, declaration: unknown): InHandler {
  const subject = `in.${event}`;
  const { payload, reply, maxBytes, rate } = declarationOf(subject, declaration);
  const isRaw = isVerbatim(handler);
  let handle = handler;
  if (checksPayloads(payload)) {
    if (isRaw) {
      const message = `${subject} must be typed() because its handler is verbatim, got a schema`;
      throw invalid(message);
    }
    handle = checked(payload, handle);
  }
  const write = isJsonSchema(reply) ? payloadWriter(`reply of ${subject}`, reply) : undefined;
  if (write) handle = replying(handle, write);
  if (maxBytes !== undefined) handle = refusingOversize(handle);
  return { handle, intake: intakeOf(isRaw, maxBytes), rate };
}

interface Declaration {
  readonly payload?: StandardSchemaV1;
  readonly reply?: unknown;
  readonly maxBytes?: number;
  readonly rate?: Rate;
}

function declarationOf(subject: string, given: unknown): Declaration {
  if (isSchema(given)) return { payload: given };
  if (!isNested(given)) {
    throw invalid(
      `${subject} must be ${SCHEMA}, or have some of ${EVENT_KEYS.join(", ")}, got ${kindOf(given)}`,
    );
  }
  const unknown = Object.keys(given).filter((key) => !EVENT_KEYS.includes(key));
  if (unknown.length > 0) {
    const hint = nearestHint(unknown[0] as string, EVENT_KEYS);
    throw invalid(
      `${subject} must be ${SCHEMA}, or have some of ${EVENT_KEYS.join(", ")}, got ${unknown.join(", ")}${hint}`,
    );
  }
  const { payload, reply, maxBytes } = given as Given;
  if (payload !== undefined && !isSchema(payload)) {
    throw invalid(`payload of ${subject} must be ${SCHEMA}, got ${kindOf(payload)}`);
  }
  if (reply !== undefined && !isSchema(reply) && !isNested(reply)) {
    throw invalid(`reply of ${subject} must be a JSON Schema, ${SCHEMA}, got ${kindOf(reply)}`);
  }
  if (maxBytes !== undefined) {
    checkCount(`maxBytes of ${subject}`, maxBytes, MOST_BYTES, "bytes");
  }
  return given;
}

/** Reports whether a schema checks payloads instead of only declaring their type. */
export function checksPayloads(schema: StandardSchemaV1 | undefined): schema is StandardSchemaV1 {
  return schema !== undefined && "validate" in schema["~standard"];
}

function intakeOf(isRaw: boolean, maxBytes: number | undefined): Intake | undefined {
  if (maxBytes === undefined) return isRaw ? asVerbatim : undefined;
  const oversize = new OversizePayload(maxBytes);
  return (channel, message, frame) => {
    if (isOversize(channel, message, frame, maxBytes)) {
      return { event: message.event, ref: message.ref, payload: oversize };
    }
    return isRaw ? asVerbatim(channel, message, frame) : message;
  };
}

function refusingOversize(handle: PayloadCallback): PayloadCallback {
  return (socket, payload) =>
    payload instanceof OversizePayload ? payload.refusal() : handle(socket, payload);
}

function replying(handle: PayloadCallback, write: PayloadWriter): PayloadCallback {
  const written = (result: unknown): unknown => {
    if (result instanceof Stop && result.reply) {
      return new Stop(result.reason, written(result.reply) as Reply);
    }
    const isOk = result instanceof Reply && result.status === "ok";
    return isOk ? new Reply("ok", write(result.payload)) : result;
  };
  // Set while the handler runs. If the handler throws or rejects, the channel ends, so there is no
  // need to reset it.
  return (socket: WritesReplies, payload) => {
    socket.replyWriter = write;
    const result = handle(socket, payload);
    if (!isThenable(result)) {
      socket.replyWriter = undefined;
      return written(result);
    }
    return result.then((settled) => {
      socket.replyWriter = undefined;
      return written(settled);
    });
  };
}
