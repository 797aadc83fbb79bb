/**
 * Converts between frames and messages in one version of the protocol.
 *
 * Parts that a channel sends with every message (join_ref and topic) are passed as JSON text, so
 * that they are escaped once per channel instead of once per message.
 *
 * Runs on: any thread. Pure functions.
 */

import type { Message, Ref } from "./message.ts";

/** A broadcast as a version 2 frame, with the offsets and lengths of its parts. */
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
  /**
   * Decodes a text frame; returns undefined if it is malformed.
   *
   * @param maxDepth - a longer frame that is nested deeper is malformed; no limit if omitted
   */
  decode(frame: string, maxDepth?: number): Message | undefined;

  /** Decodes a binary frame; returns undefined if it is malformed. Keeps no reference to it. */
  decodeBytes(frame: Uint8Array, maxDepth?: number): Message | undefined;

  /**
   * Decodes a text frame without its payload, which is quick however long the payload is. Returns
   * undefined if the frame must be decoded. If this method is absent, all frames must be.
   */
  readonly decodeHead?: (frame: string) => Message | undefined;

  /**
   * Returns the text of the payload in a decoded frame. If this method is absent or returns
   * undefined, the payload is written from its value.
   */
  readonly payloadText?: (frame: string, message: Message) => string | undefined;

  /**
   * Encodes a reply as text; a response of bytes is encoded as a binary frame.
   *
   * @throws SIM_ERR_PAYLOAD if the response cannot be sent
   */
  reply(joinRef: string, ref: Ref, topic: string, status: string, response: unknown): Frame;

  /**
   * Encodes a message that is no reply.
   *
   * @param ref - offset of the kept broadcast that the message belongs to; null if it belongs to none.
   *   Bytes are encoded without it
   * @throws SIM_ERR_PAYLOAD if the payload cannot be sent
   */
  push(joinRef: string, topic: string, event: string, payload: unknown, ref?: string | null): Frame;

  /** Encodes `phx_close` or `phx_error`. Its ref is the join_ref of the join. */
  end(joinRef: string, topic: string, event: string, payload: unknown): Frame;

  /**
   * Encodes a broadcast from its decoded parts. If absent, frames are built from the encoded
   * broadcast that is sent between threads.
   *
   * @param ref - offset of a kept broadcast, for channels that asked for it
   */
  readonly broadcast?: (topic: string, event: string, payload: unknown, ref?: string) => Frame;
}

/** Writes a ref as JSON. Most refs are short strings of digits that need no escaping. */
export function refJson(ref: Ref): string {
  if (typeof ref === "string") return isPlain(ref) ? `"${ref}"` : JSON.stringify(ref);
  return ref === null || ref === undefined ? "null" : JSON.stringify(ref);
}

/** Writes a ref that will be kept in memory. Small numbers, which are common, share one string. */
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
