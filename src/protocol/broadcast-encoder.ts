/**
 * Encodes a broadcast once, as the bytes of a version 2 frame, with room for a header before it:
 * a text frame, or a binary one where the payload is bytes.
 *
 * Runs on: any thread, one for each thread.
 * Owns: its buffer. What `encode` left there is valid until the next call.
 */

import { kindOf, makeError } from "../errors.ts";
import { BROADCAST_LENGTHS_BYTES, bytesOf, FRAME_KIND, partOf, textOfJson } from "./binary-v2.ts";
import { objectJson } from "./json-text.ts";
import { BROADCAST_HEAD } from "./json-v2.ts";
import { isOwnTopic } from "./reserved.ts";
import type { BroadcastParts } from "./serializer.ts";

const FIRST_BYTES = 16_384;
/** A buffer grown beyond this for one large broadcast is let go by the next small one. */
const KEPT_BYTES = 1_048_576;
const MOST_EVENTS = 1_024;

interface EventName {
  readonly json: string;
  readonly length: number;
}

/** A topic as it stands in a frame: quoted, and the length in bytes of what the quotes hold. */
export interface TopicName {
  readonly json: string;
  readonly jsonLength: number;
}

/** Makes the frame of a broadcast. */
export class BroadcastEncoder implements BroadcastParts {
  readonly #headroom: number;
  readonly #events = new Map<string, EventName>();
  bytes: Buffer;
  /** Bytes of the headroom and the frame. */
  length = 0;
  topicOffset = 0;
  topicLength = 0;
  eventOffset = 0;
  eventLength = 0;
  payloadOffset = 0;
  payloadLength = 0;

  /** @param headroom - bytes left free before the frame, for the caller's header */
  constructor(headroom: number) {
    this.#headroom = headroom;
    this.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  }

  /**
   * Encodes a broadcast; this object then says where its parts are.
   *
   * @throws SIM_ERR_PAYLOAD where the event is no string, the payload is no object, or JSON has no
   *   form for it; where the payload is bytes, and topic or event has more than 255 of them
   */
  encode(topic: TopicName, event: string, payload: unknown): void {
    const bytes = bytesOf(payload);
    if (bytes) this.#encodeBytes(topic, event, bytes);
    else this.#encodeText(topic, event, payload);
  }

  #encodeText(topic: TopicName, event: string, payload: unknown): void {
    const name = this.#nameOf(event);
    const text = objectJson(payload);
    const frame = `${BROADCAST_HEAD}${topic.json},${name.json},${text}]`;
    this.#ensure(this.#headroom + frame.length * 3);
    const written = this.bytes.write(frame, this.#headroom, "utf8");

    this.length = this.#headroom + written;
    this.topicOffset = this.#headroom + BROADCAST_HEAD.length + 1;
    this.topicLength = topic.jsonLength;
    this.eventOffset = this.topicOffset + topic.jsonLength + 3;
    this.eventLength = name.length;
    this.payloadOffset = this.eventOffset + name.length + 2;
    this.payloadLength = this.length - 1 - this.payloadOffset;
  }

  #encodeBytes(topic: TopicName, event: string, payload: Uint8Array): void {
    checkEvent(event);
    const topicPart = partOf("topic", textOfJson(topic.json));
    const eventPart = partOf("event", event);
    this.topicOffset = this.#headroom + BROADCAST_LENGTHS_BYTES;
    this.topicLength = topicPart.length;
    this.eventOffset = this.topicOffset + topicPart.length;
    this.eventLength = eventPart.length;
    this.payloadOffset = this.eventOffset + eventPart.length;
    this.payloadLength = payload.length;
    this.length = this.payloadOffset + payload.length;
    this.#ensure(this.length);

    const { bytes } = this;
    bytes[this.#headroom] = FRAME_KIND.broadcast;
    bytes[this.#headroom + 1] = topicPart.length;
    bytes[this.#headroom + 2] = eventPart.length;
    bytes.set(topicPart, this.topicOffset);
    bytes.set(eventPart, this.eventOffset);
    bytes.set(payload, this.payloadOffset);
  }

  /**
   * Puts text behind the frame.
   *
   * @returns bytes of the headroom, the frame and the text
   */
  append(text: string): number {
    this.#ensure(this.length + text.length * 3, this.length);
    return this.length + this.bytes.write(text, this.length, "utf8");
  }

  #ensure(bytes: number, kept = 0): void {
    if (bytes > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(bytes, this.bytes.length * 2));
      this.bytes.copy(larger, 0, 0, kept);
      this.bytes = larger;
    } else if (kept === 0 && this.bytes.length > KEPT_BYTES && bytes <= FIRST_BYTES) {
      this.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
    }
  }

  #nameOf(event: string): EventName {
    const known = this.#events.get(event);
    if (known) return known;
    checkEvent(event);
    const json = JSON.stringify(event);
    const name = { json, length: Buffer.byteLength(json) - 2 };
    // Events are few; names made up from data must not grow this without end.
    if (this.#events.size >= MOST_EVENTS) this.#events.clear();
    this.#events.set(event, name);
    return name;
  }
}

/** Refuses an event that is no string. @throws SIM_ERR_PAYLOAD */
export function checkEvent(event: unknown): void {
  checkText("event", event);
}

function checkText(name: string, value: unknown): void {
  if (typeof value === "string") return;
  throw makeError("SIM_ERR_PAYLOAD", `${name} must be a string, got ${kindOf(value)}`);
}

/** Refuses a topic that is no string, or the server's own. @throws SIM_ERR_PAYLOAD */
export function checkUsersTopic(topic: string): void {
  checkText("topic", topic);
  if (!isOwnTopic(topic)) return;
  const message = `topic must not be one of the server's own, got ${JSON.stringify(topic)}`;
  throw makeError("SIM_ERR_PAYLOAD", message);
}

/** Gives a topic as it stands in frames. @throws SIM_ERR_PAYLOAD where it is no string */
export function topicName(topic: string): TopicName {
  checkText("topic", topic);
  const json = JSON.stringify(topic);
  return { json, jsonLength: Buffer.byteLength(json) - 2 };
}
