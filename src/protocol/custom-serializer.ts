/**
 * Serializers of the user's own: forms in which clients of some version get and give messages.
 *
 * Runs on: shard; made once for each.
 */

import { checkCallbacks } from "../definition-checks.ts";
import { kindOf, makeError } from "../errors.ts";
import { JsonText } from "./json-text.ts";
import type { Message } from "./message.ts";
import { EVENT } from "./reserved.ts";
import type { Frame, Serializer } from "./serializer.ts";

/** A message to a client, before it is written. */
export interface ServerMessage {
  /** Of the join that it belongs to; null for a broadcast, and for what belongs to none. */
  readonly joinRef: unknown;
  /** Of the message that it answers, or null. */
  readonly ref: unknown;
  /** A string, or whatever a client has sent in the place of one. */
  readonly topic: unknown;
  /** `phx_reply` of an answer, `phx_close` and `phx_error` of the end of a channel. */
  readonly event: string;
  /** Of an answer `{ status, response }`. It, or the response, may be bytes. */
  readonly payload: unknown;
}

/** The callbacks of a serializer. */
export interface SerializerCallbacks {
  /**
   * Reads a frame: text, or bytes of its own. Undefined where it is malformed; that, and what is
   * thrown, closes the connection with 1011.
   */
  decode(frame: string | Uint8Array): Message | undefined;
  /** Writes a message: as text, or as the bytes of a binary frame. */
  encode(message: ServerMessage): Frame;
  /**
   * Writes a broadcast, once for all of a shard who get it in this form; `encode` without. What is
   * thrown costs these subscribers the broadcast: they get phx_error `missed broadcasts`.
   */
  fastlane?(broadcast: ServerMessage): Frame;
}

/**
 * Defines a serializer, to be listed with a version under `serializers` of a mount.
 *
 * @throws SIM_ERR_DEFINITION_INVALID where a callback is no function
 */
export function defineSerializer(callbacks: SerializerCallbacks): Serializer {
  checkCallbacks(callbacks, { required: ["decode", "encode"], optional: ["fastlane"] });
  const encode = (message: ServerMessage): Frame => checked(callbacks.encode(message), "encode");
  return {
    decode: (frame) => normal(callbacks.decode(frame)),
    // The bytes are the engine's, which takes them back.
    decodeBytes: (frame) => normal(callbacks.decode(new Uint8Array(frame))),
    reply: (joinRef, ref, topic, status, response = {}) =>
      encode({
        ...partsOf(joinRef, topic),
        ref,
        event: EVENT.reply,
        payload: { status, response: JsonText.decoded(response) },
      }),
    push: (joinRef, topic, event, payload) =>
      encode({
        ...partsOf(joinRef, topic),
        ref: null,
        event,
        payload: JsonText.decoded(payload),
      }),
    end(joinRef, topic, event, payload) {
      const parts = partsOf(joinRef, topic);
      return encode({ ...parts, ref: parts.joinRef, event, payload });
    },
    broadcast(topic, event, payload) {
      const message = { joinRef: null, ref: null, topic, event, payload };
      if (!callbacks.fastlane) return encode(message);
      return checked(callbacks.fastlane(message), "fastlane");
    },
  };
}

// What others have as JSON text, so that it is escaped once, is taken apart again here.
function partsOf(joinRef: string, topic: string): Pick<ServerMessage, "joinRef" | "topic"> {
  return { joinRef: JSON.parse(joinRef), topic: JSON.parse(topic) };
}

function normal(message: Message | undefined): Message | undefined {
  if (message === undefined) return undefined;
  const { joinRef = null, ref = null, topic, event, payload } = message;
  return { joinRef, ref, topic, event, payload };
}

function checked(frame: unknown, name: string): Frame {
  if (typeof frame === "string" || frame instanceof Uint8Array) return frame;
  const message = `${name} must return a string or a Uint8Array, got ${kindOf(frame)}`;
  throw makeError("SIM_ERR_BAD_RESULT", message);
}
