/**
 * User-defined serializers, which encode and decode messages in a custom format.
 *
 * Runs on: shard; one per shard.
 */

import { checkCallbacks } from "../definition-checks.ts";
import { kindOf, makeError } from "../errors.ts";
import { JsonText } from "./json-text.ts";
import type { Message } from "./message.ts";
import { EVENT } from "./reserved.ts";
import type { Frame, Serializer } from "./serializer.ts";

/** A message to a client that has not been encoded yet. */
export interface ServerMessage {
  /**
   * Ref of the join that the message belongs to; null for broadcasts and messages without a join.
   */
  readonly joinRef: unknown;
  /**
   * Ref of the message that this message replies to, or null. For channels that asked for a history,
   * the offset of a kept broadcast.
   */
  readonly ref: unknown;
  /** A string, or whatever value the client sent as the topic. */
  readonly topic: unknown;
  /** `phx_reply` for a reply; `phx_close` or `phx_error` when a channel ends. */
  readonly event: string;
  /** For a reply, `{ status, response }`. The payload or the response can be bytes. */
  readonly payload: unknown;
}

/** The callbacks of a serializer. */
export interface SerializerCallbacks {
  /**
   * Decodes a text frame, or a copy of a binary frame. If it returns undefined (malformed) or
   * throws, the connection is closed with 1011.
   */
  decode(frame: string | Uint8Array): Message | undefined;
  /** Encodes a message as text, or as the bytes of a binary frame. */
  encode(message: ServerMessage): Frame;
  /**
   * Encodes a broadcast once for all subscribers on a shard that use this serializer. Defaults to
   * `encode`. If it throws, these subscribers receive phx_error `missed broadcasts`.
   */
  fastlane?(broadcast: ServerMessage): Frame;
}

/**
 * Defines a serializer. List it with a version requirement under `serializers` of a mount.
 *
 * @throws SIM_ERR_DEFINITION_INVALID if a callback is not a function
 */
export function defineSerializer(callbacks: SerializerCallbacks): Serializer {
  checkCallbacks(callbacks, { required: ["decode", "encode"], optional: ["fastlane"] });
  const encode = (message: ServerMessage): Frame => checkFrame(callbacks.encode(message), "encode");
  return {
    decode: (frame) => normalize(callbacks.decode(frame)),
    // Copy the frame, because the engine reuses its memory.
    decodeBytes: (frame) => normalize(callbacks.decode(new Uint8Array(frame))),
    reply: (joinRef, ref, topic, status, response = {}) =>
      encode({
        ...partsOf(joinRef, topic),
        ref,
        event: EVENT.reply,
        payload: { status, response: JsonText.decoded(response) },
      }),
    push: (joinRef, topic, event, payload, ref = null) =>
      encode({
        ...partsOf(joinRef, topic),
        ref,
        event,
        payload: JsonText.decoded(payload),
      }),
    end(joinRef, topic, event, payload) {
      const parts = partsOf(joinRef, topic);
      return encode({ ...parts, ref: parts.joinRef, event, payload });
    },
    broadcast(topic, event, payload, ref) {
      const message = { joinRef: null, ref: ref ?? null, topic, event, payload };
      if (!callbacks.fastlane) return encode(message);
      return checkFrame(callbacks.fastlane(message), "fastlane");
    },
  };
}

// The built-in serializers take these parts as JSON text, so that they are escaped only once.
// Custom serializers receive values.
function partsOf(joinRef: string, topic: string): Pick<ServerMessage, "joinRef" | "topic"> {
  return { joinRef: JSON.parse(joinRef), topic: JSON.parse(topic) };
}

function normalize(message: Message | undefined): Message | undefined {
  if (message === undefined) return undefined;
  const { joinRef = null, ref = null, topic, event, payload } = message;
  return { joinRef, ref, topic, event, payload };
}

function checkFrame(frame: unknown, name: string): Frame {
  if (typeof frame === "string" || frame instanceof Uint8Array) return frame;
  const message = `${name} must return a string or a Uint8Array, got ${kindOf(frame)}`;
  throw makeError("SIM_ERR_BAD_RESULT", message);
}
