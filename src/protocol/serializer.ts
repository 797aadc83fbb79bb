/**
 * What turns frames into messages and back, for one version of the protocol.
 *
 * Runs on: any thread. Pure functions.
 *
 * Parts that a channel sends again and again (its join_ref, its topic) are handed in as the
 * JSON text that stands in the frame, so that they are escaped once and not per message.
 */

import type { Message, Ref } from "./message.ts";

/** A broadcast as it stands in a frame of version 2: where its parts are. */
export interface BroadcastParts {
  readonly bytes: Uint8Array;
  readonly topicOffset: number;
  readonly topicLength: number;
  readonly eventOffset: number;
  readonly eventLength: number;
  readonly payloadOffset: number;
  readonly payloadLength: number;
}

/** What goes to a client: text, or the bytes of a binary frame. */
export type Frame = string | Uint8Array;

/** One version of the protocol. */
export interface Serializer {
  /** Decodes a text frame; undefined where it is malformed. */
  decode(frame: string): Message | undefined;

  /** Decodes a binary frame; undefined where it is malformed. Nothing of the frame is kept. */
  decodeBytes(frame: Uint8Array): Message | undefined;

  /**
   * Gives the payload of a text frame as it stands there, after the frame was decoded; undefined
   * where it has to be written anew, as everywhere without this.
   */
  readonly payloadText?: (frame: string, message: Message) => string | undefined;

  /**
   * Encodes a reply: text for any JSON value, a binary frame for bytes.
   *
   * @throws SIM_ERR_PAYLOAD where the response cannot be sent
   */
  reply(joinRef: string, ref: Ref, topic: string, status: string, response: unknown): Frame;

  /** Encodes a message without a ref. @throws SIM_ERR_PAYLOAD where the payload cannot be sent */
  push(joinRef: string, topic: string, event: string, payload: unknown): Frame;

  /** Encodes `phx_close` or `phx_error`, whose ref is the join's join_ref. */
  end(joinRef: string, topic: string, event: string, payload: unknown): Frame;

  /**
   * Encodes a broadcast that was decoded before. Without it the bytes that travel between threads
   * are sent, or what is cut from them.
   */
  readonly broadcast?: (topic: string, event: string, payload: unknown) => Frame;
}

/** Writes a ref as JSON: most are short strings of digits, which need no escaping. */
export function refJson(ref: Ref): string {
  if (typeof ref === "string") return isPlain(ref) ? `"${ref}"` : JSON.stringify(ref);
  return ref === null || ref === undefined ? "null" : JSON.stringify(ref);
}

/** Writes a ref that is kept: small ones, of which most connections have some, are the same text. */
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
