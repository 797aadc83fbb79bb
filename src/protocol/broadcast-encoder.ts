/**
 * Encodes a broadcast once, as a version 2 frame with room for a header before it.
 *
 * The frame is binary if the payload is bytes, otherwise text.
 *
 * Runs on: any thread; one encoder per thread.
 * Owns: its buffer. The result of `encode` is valid until the next call.
 */

import { kindOf, makeError } from "../errors.ts";
import { BROADCAST_LENGTHS_BYTES, bytesOf, FRAME_KIND, partOf, textOfJson } from "./binary-v2.ts";
import { objectJson } from "./json-text.ts";
import { BROADCAST_HEAD } from "./json-v2.ts";
import { isOwnTopic } from "./reserved.ts";
import type { BroadcastParts } from "./serializer.ts";

const INITIAL_BYTES = 16_384;
/** If the buffer has grown beyond this size, the next small broadcast releases it (bytes). */
const MAX_KEPT_BYTES = 1_048_576;
const MAX_EVENTS = 1_024;

interface EventName {
  readonly json: string;
  readonly length: number;
}

/** A topic in its encoded forms. */
export interface TopicName {
  /** The topic as JSON, including quotes. */
  readonly json: string;
  /** Length of the JSON without its quotes (bytes). */
  readonly jsonLength: number;
}

/** Encodes broadcasts. The fields describe the last encoded broadcast. */
export class BroadcastEncoder implements BroadcastParts {
  readonly #headroom: number;
  readonly #events = new Map<string, EventName>();
  bytes: Buffer;
  /** Total length of the headroom and the frame (bytes). */
  length = 0;
  topicOffset = 0;
  topicLength = 0;
  eventOffset = 0;
  eventLength = 0;
  payloadOffset = 0;
  payloadLength = 0;

  /** @param headroom - number of bytes to reserve before the frame, for the caller's header */
  constructor(headroom: number) {
    this.#headroom = headroom;
    this.bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  }

  /**
   * Encodes a broadcast and stores the offsets and lengths of its parts in this object's fields.
   *
   * @throws SIM_ERR_PAYLOAD if the event is not a string, or if the payload is not an object or
   *   cannot be written as JSON; for a binary payload, if topic or event exceeds 255 bytes
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
   * Appends text after the frame.
   *
   * @returns total length of the headroom, the frame and the text (bytes)
   */
  append(text: string): number {
    this.#ensure(this.length + text.length * 3, this.length);
    return this.length + this.bytes.write(text, this.length, "utf8");
  }

  /** Adds an empty byte after the frame, after the header was written. */
  mark(): void {
    this.#ensure(this.length + 1, this.length);
    this.bytes[this.length] = 0;
    this.length += 1;
  }

  /**
   * Makes room after the frame.
   *
   * @returns the buffer, which contains the headroom and the frame
   */
  reserve(bytes: number): Uint8Array {
    this.#ensure(this.length + bytes, this.length);
    return this.bytes;
  }

  #ensure(bytes: number, kept = 0): void {
    if (bytes > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(bytes, this.bytes.length * 2));
      this.bytes.copy(larger, 0, 0, kept);
      this.bytes = larger;
    } else if (kept === 0 && this.bytes.length > MAX_KEPT_BYTES && bytes <= INITIAL_BYTES) {
      this.bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
    }
  }

  #nameOf(event: string): EventName {
    const known = this.#events.get(event);
    if (known) return known;
    checkEvent(event);
    const json = JSON.stringify(event);
    const name = { json, length: Buffer.byteLength(json) - 2 };
    // Apps use few event names. The cache is still limited, in case names are built from data.
    if (this.#events.size >= MAX_EVENTS) this.#events.clear();
    this.#events.set(event, name);
    return name;
  }
}

/** Checks that an event is a string. @throws SIM_ERR_PAYLOAD if it is not */
export function checkEvent(event: unknown): void {
  checkText("event", event);
}

function checkText(name: string, value: unknown): void {
  if (typeof value === "string") return;
  throw makeError("SIM_ERR_PAYLOAD", `${name} must be a string, got ${kindOf(value)}`);
}

/** Checks that a topic is a string and is not reserved. @throws SIM_ERR_PAYLOAD if it is invalid */
export function checkUsersTopic(topic: string): void {
  checkText("topic", topic);
  if (!isOwnTopic(topic)) return;
  const message = `topic must not be reserved by the server, got ${JSON.stringify(topic)}`;
  throw makeError("SIM_ERR_PAYLOAD", message);
}

/** Encodes a topic. @throws SIM_ERR_PAYLOAD if it is not a string */
export function topicName(topic: string): TopicName {
  checkText("topic", topic);
  const json = JSON.stringify(topic);
  return { json, jsonLength: Buffer.byteLength(json) - 2 };
}
