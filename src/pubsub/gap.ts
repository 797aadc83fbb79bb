/**
 * A gap: broadcasts of one node that others did not get, reported by the slots of their topics.
 *
 *   0          4            8
 *   +----------+------------+----------------------------------------------------
 *   | seed     | index bits | slots, an int32 each; an empty list means all slots
 *   +----------+------------+----------------------------------------------------
 *
 * Every node hashes topics with a seed of its own, so its slots mean nothing elsewhere. With the seed
 * and the bits, however, each thread can compute in which slots of that node its own topics are. So
 * only the topics concerned are told, and a few that share a slot with one of them. An empty gap,
 * without even a seed, concerns all topics: it is for an adapter that knows only that something from
 * another node was lost.
 *
 * Runs on: link, which packs and forwards gaps; any thread that has subscribers.
 */

import { topicHash } from "../memory/topic-hash.ts";
import type { LappedNotice } from "./outgoing-records.ts";
import { slotOf } from "./subscription-index-layout.ts";

/**
 * Slot through which a gap reaches every thread that may have subscribers: each has its bit set there
 * as long as it lives. A thread that lost records of this slot may have lost a gap, and acts as if all
 * topics were concerned.
 */
export const GAP_SLOT = 0;

const HEADER_BYTES = 8;
const EMPTY = new Int32Array(0);

/** How a node maps topics to slots. */
export interface TopicSlots {
  readonly seed: number;
  readonly indexBits: number;
}

/** Encodes a gap of this node for the others. */
export function packGap({ seed, indexBits }: TopicSlots, slots: LappedNotice): Uint8Array {
  const words = Int32Array.from([seed, indexBits, ...(slots === "all" ? EMPTY : slots)]);
  return new Uint8Array(words.buffer);
}

/** Returns a function that reports whether a gap concerns a topic. Keeps nothing of the bytes. */
export function unpackGap(
  bytes: Uint8Array,
  offset: number,
  length: number,
): (topic: string) => boolean {
  if (length <= HEADER_BYTES) return () => true;
  // Copied, because the bytes may be at any offset, and in memory that others write.
  const copy = new Uint8Array(length & ~3);
  copy.set(bytes.subarray(offset, offset + copy.length));
  const [seed = 0, indexBits = 0, ...slots] = new Int32Array(copy.buffer);
  const lost = new Set(slots);
  return (topic) => lost.has(slotOf(topicHash(seed, topic), indexBits));
}
