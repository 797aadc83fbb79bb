/**
 * A filter shared by all members, which tells which members may have subscribers to a topic.
 *
 * A member sets its bit in a topic's slot with its first subscription there, and clears it after
 * its last; it counts its own subscriptions privately. Topics whose hashes share a slot share the
 * bits: a record may then travel to a member that has no subscriber, but no member that has one is
 * ever left out.
 *
 * Runs on:  any thread; one SubscriptionIndex for each member, used by its thread only.
 * Owns:     a member's bits are set and cleared by it alone; by main once its thread has ended.
 * Order:    a member sets its bit before it tells anyone that it has joined. So a broadcast
 *           that begins after somebody saw the join loads the bit.
 */

import { makeError } from "../errors.ts";
import { slotOf, wordsPerSlot } from "./subscription-index-layout.ts";
import type { SubscriptionIndexLayout } from "./subscription-index-layout.ts";

/** The fill of an index. */
export interface SubscriptionIndexStats {
  readonly slots: number;
  /** Slots in which at least one member has its bit set. */
  readonly used: number;
  /**
   * Fraction of used slots, 0 to 1: the probability that a topic without subscribers seems to have
   * some.
   */
  readonly fill: number;
}

/** One member's view of the subscription index. */
export class SubscriptionIndex {
  /** Number of words in each slot, as returned by `word`. */
  readonly wordsPerSlot: number;
  readonly slots: number;
  readonly indexBits: number;
  readonly #words: Int32Array;
  /** Number of subscriptions that this member has in each slot. */
  readonly #counts: Uint32Array;
  readonly #member: number;
  #hasEnded = false;

  constructor(shared: SharedArrayBuffer, layout: SubscriptionIndexLayout, member: number) {
    this.wordsPerSlot = wordsPerSlot(layout.members);
    this.slots = 2 ** layout.indexBits;
    this.indexBits = layout.indexBits;
    this.#words = new Int32Array(shared, 0, this.slots * this.wordsPerSlot);
    this.#counts = new Uint32Array(this.slots);
    this.#member = member;
  }

  /** Returns the slot of a topic, from its hash, an int32. */
  slotOf(hash: number): number {
    return slotOf(hash, this.indexBits);
  }

  /** Adds a subscription in a slot. Other members see it before this returns. */
  add(slot: number): void {
    const count = this.#counts[slot] as number;
    this.#counts[slot] = count + 1;
    if (count > 0) return;
    Atomics.or(this.#words, this.#wordOf(slot, this.#member), 1 << (this.#member & 31));
  }

  /** Undoes one `add`. */
  remove(slot: number): void {
    // Subscriptions that outlive their member are removed later, when there is no bit left to
    // clear.
    if (this.#hasEnded) return;
    const count = this.#counts[slot] as number;
    if (count === 0) {
      throw makeError("SIM_ERR_INTERNAL", `remove without add, slot=${slot} count=0`);
    }
    this.#counts[slot] = count - 1;
    if (count > 1) return;
    Atomics.and(this.#words, this.#wordOf(slot, this.#member), ~(1 << (this.#member & 31)));
  }

  /** Returns one word of the set of members of a slot, by one atomic load. */
  word(slot: number, word: number): number {
    return Atomics.load(this.#words, slot * this.wordsPerSlot + word);
  }

  /** Reports whether a member is in the set of a slot. */
  has(slot: number, member: number): boolean {
    return (Atomics.load(this.#words, this.#wordOf(slot, member)) & (1 << (member & 31))) !== 0;
  }

  /** Reports whether any member is in the set of a slot. */
  hasAny(slot: number): boolean {
    for (let word = 0; word < this.wordsPerSlot; word += 1) {
      if (this.word(slot, word) !== 0) return true;
    }
    return false;
  }

  /** Clears all bits of this member when it ends. */
  clear(): void {
    this.#hasEnded = true;
    for (let slot = 0; slot < this.slots; slot += 1) {
      // Checks its own counts rather than the shared words, most of which were never touched.
      if (this.#counts[slot] === 0) continue;
      this.#counts[slot] = 0;
      Atomics.and(this.#words, this.#wordOf(slot, this.#member), ~(1 << (this.#member & 31)));
    }
  }

  /**
   * Clears all bits of another member, whose thread has ended without clearing them. Called only by
   * main.
   */
  clearMember(member: number): void {
    const bit = 1 << (member & 31);
    for (let slot = 0; slot < this.slots; slot += 1) {
      const word = this.#wordOf(slot, member);
      if ((Atomics.load(this.#words, word) & bit) !== 0) Atomics.and(this.#words, word, ~bit);
    }
  }

  /** Counts the used slots. Reads the whole index, so it is for metrics, not for the hot path. */
  stats(): SubscriptionIndexStats {
    let used = 0;
    for (let slot = 0; slot < this.slots; slot += 1) {
      let bits = 0;
      for (let word = 0; word < this.wordsPerSlot; word += 1) bits |= this.word(slot, word);
      if (bits !== 0) used += 1;
    }
    return { slots: this.slots, used, fill: used / this.slots };
  }

  #wordOf(slot: number, member: number): number {
    return slot * this.wordsPerSlot + (member >> 5);
  }
}
