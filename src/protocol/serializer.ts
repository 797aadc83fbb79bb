/**
 * Converts between frames and messages, for one version of the protocol.
 *
 * Parts that a channel sends with every message (join_ref and topic) are passed as JSON text, so
 * that they are escaped once per channel and not once per message.
 *
 * Runs on: any thread. Pure functions.
 */

import type { Message, Ref } from "./message.ts";

/** A broadcast as a frame of version 2, with the offsets and lengths of its parts. */
export interface BroadcastParts {
  readonly bytes: Uint8Array;
  readonly topicOffset: number;
  readonly topicLength: number;
  readonly eventOffset: number;
  readonly eventLength: number;
  readonly payloadOffset: number;
  readonly payloadLength: number;
}

/** A frame to a client: text, or the bytes of a binary frame. */
export type Frame = string | Uint8Array;

/** Encodes and decodes one version of the protocol. */
export interface Serializer {
  /** Decodes a text frame; undefined if it is malformed. */
  decode(frame: string): Message | undefined;

  /** Decodes a binary frame; undefined if it is malformed. Keeps no reference to the frame. */
  decodeBytes(frame: Uint8Array): Message | undefined;

  /**
   * Returns the text of the payload in a decoded frame. If it returns undefined, or is absent, the
   * payload is written from its value.
   */
  readonly payloadText?: (frame: string, message: Message) => string | undefined;

  /**
   * Encodes a reply: text for any JSON value, a binary frame for bytes.
   *
   * @throws SIM_ERR_PAYLOAD if the response cannot be sent
   */
  reply(joinRef: string, ref: Ref, topic: string, status: string, response: unknown): Frame;

  /** Encodes a message without a ref. @throws SIM_ERR_PAYLOAD if the payload cannot be sent */
  push(joinRef: string, topic: string, event: string, payload: unknown): Frame;

  /** Encodes `phx_close` or `phx_error`, whose ref is the join's join_ref. */
  end(joinRef: string, topic: string, event: string, payload: unknown): Frame;

  /**
   * Encodes a broadcast from its decoded parts. If absent, frames are made from the bytes that
   * travel between threads.
   */
  readonly broadcast?: (topic: string, event: string, payload: unknown) => Frame;
}

/** Writes a ref as JSON. Most refs are short strings of digits, which need no escaping. */
export function refJson(ref: Ref): string {
  if (typeof ref === "string") return isPlain(ref) ? `"${ref}"` : JSON.stringify(ref);
  return ref === null || ref === undefined ? "null" : JSON.stringify(ref);
}

/** Writes a ref that is kept in memory. Small numbers, which are common, share one string. */
export function keptRefJson(ref: Ref): string {
  return (typeof ref === "string" ? SMALL_REFS.get(ref) : undefined) ?? refJson(ref);
}

const SMALL_REFS: ReadonlyMap<string, string> = new Map(
  Array.from({ length: 256 }, (_, ref) => [String(ref), `"${ref}"`]),
);

function isPlain(text: string): boolean {
  if (text.length > 10) return false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 48 || code > 57) return false;
  }
  return true;
}
