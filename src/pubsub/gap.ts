/**
 * A gap: broadcasts from one node that did not reach others, reported as the slots of their topics.
 *
 *   0          4            8
 *   +----------+------------+----------------------------------------------------
 *   | seed     | index bits | slots, an int32 each; an empty list means all slots
 *   +----------+------------+----------------------------------------------------
 *
 * Every node hashes topics with its own seed, so its slots have no meaning on other nodes. With the
 * seed and the bits, however, each thread can compute the slots of its own topics on that node.
 * Therefore only the affected topics are notified, plus a few that share a slot with one of them.
 * An empty gap, without even a seed, affects all topics. It is for an adapter that knows only that
 * something from another node was lost.
 *
 * **IDs of sockets** are topics as well, whose only broadcast is `disconnect`. If it was lost, a client stays connected
 * that must not be, so its connection is closed. If all topics are affected, that would close every connection with an
 * ID at once. So these are closed at the pace of a drain (`id-notices`). An adapter that can find out which disconnects
 * were lost reports TOPICS_GAP first, then delivers those, and reports IDS_GAP only if it is not sure to have all.
 *
 * Runs on: link, which packs and forwards gaps; any thread that has subscribers.
 */

import { topicHash } from "../memory/topic-hash.ts";
import type { LappedNotice } from "./outgoing-records.ts";
import { slotOf } from "./subscription-index-layout.ts";

/**
 * Slot through which a gap reaches every thread that may have subscribers: each such thread sets
 * its bit there for its whole lifetime. A thread that lost records in this slot may have lost a
 * gap, and acts as if all topics were affected.
 */
export const GAP_SLOT = 0;

/** Affects all topics, but no IDs. */
export const TOPICS_GAP: Uint8Array = Uint8Array.of(1);
/** Affects all IDs, and no other topics. */
export const IDS_GAP: Uint8Array = Uint8Array.of(2);

const HEADER_BYTES = 8;
const EMPTY = new Int32Array(0);

/** Mapping of a node's topics to slots. */
export interface TopicSlots {
  readonly seed: number;
  readonly indexBits: number;
}

/** Encodes a gap of this node for the other nodes. */
export function packGap({ seed, indexBits }: TopicSlots, slots: LappedNotice): Uint8Array {
  const words = Int32Array.from([seed, indexBits, ...(slots === "all" ? EMPTY : slots)]);
  return new Uint8Array(words.buffer);
}

/** What a gap affects. */
export interface Gap {
  /** Reports whether it affects a topic. */
  readonly isConcerned: (topic: string) => boolean;
  /** Whether it affects IDs: like other topics, not at all, or all of them, whose connections are closed at a pace. */
  readonly ids: "asTopics" | "none" | "all";
}

/** Returns what a gap affects. Does not retain the bytes. */
export function unpackGap(bytes: Uint8Array, offset: number, length: number): Gap {
  if (length === 1 && bytes[offset] === TOPICS_GAP[0]) return { isConcerned: any, ids: "none" };
  if (length === 1 && bytes[offset] === IDS_GAP[0]) return { isConcerned: none, ids: "all" };
  if (length <= HEADER_BYTES) return { isConcerned: any, ids: "all" };
  // Copied, because the bytes may be at any offset, and in memory that other threads write to.
  const copy = new Uint8Array(length & ~3);
  copy.set(bytes.subarray(offset, offset + copy.length));
  const [seed = 0, indexBits = 0, ...slots] = new Int32Array(copy.buffer);
  const lost = new Set(slots);
  return {
    isConcerned: (topic) => lost.has(slotOf(topicHash(seed, topic), indexBits)),
    ids: "asTopics",
  };
}

function any(): boolean {
  return true;
}

function none(): boolean {
  return false;
}
