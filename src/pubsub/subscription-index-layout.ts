/**
 * Layout of the subscription index: a set of members for each slot.
 *
 *   slot 0                     slot 1           ...        slot 2^indexBits - 1
 *   +--------+--------+--      +--------+--------+--
 *   | word 0 | word 1 | ...    | word 0 | word 1 | ...
 *   +--------+--------+--      +--------+--------+--
 *     word w, bit b: member 32 * w + b has a subscriber to a topic of this slot
 *
 * A word has many writers, but each bit has only one: its member, with Atomics.or and Atomics.and, or main
 * once the member's thread has ended.
 *
 * Runs on: any thread. Constants and arithmetic only.
 */

/** Size of an index. */
export interface SubscriptionIndexLayout {
  /** The index has 2^indexBits slots; 1 to 26. */
  readonly indexBits: number;
  /** Maximum number of members, including spares. */
  readonly members: number;
}

/** Returns the slot of a topic, from its hash, an int32. */
export function slotOf(hash: number, indexBits: number): number {
  return hash >>> (32 - indexBits);
}

/** Returns the number of words in one slot. */
export function wordsPerSlot(members: number): number {
  return Math.ceil(members / 32);
}

/** Returns the size of an index in bytes. */
export function subscriptionIndexBytes(layout: SubscriptionIndexLayout): number {
  return 2 ** layout.indexBits * wordsPerSlot(layout.members) * 4;
}
