/**
 * How many connections each client address has, on all shards of a node.
 *
 *   member 0                      member 1              ...
 *   | row 0        | row 1        | row 0 | row 1       |
 *   0              slots          2 × slots
 *
 * An address has one Int32 in each row, found by two hashes, and its count is the smaller of the two,
 * summed over the members (a count-min sketch). Addresses that share a word are counted together, so a
 * count can be too high, if other addresses share the words of both rows, but never too low.
 *
 * Each member writes its own words only. So when a thread has ended, clearing them takes back exactly
 * what it had counted.
 *
 * Runs on: any thread; one AddressCounts per shard.
 * Owns:    a member writes only its own rows; main clears them after the thread has ended.
 * Order:   a member adds before it reads the sum. Of any two that add at the same moment, at least one
 *          sees the other.
 */

import { createHmac } from "node:crypto";

/** Shared memory of the counts. */
export interface AddressCountsMemory {
  readonly words: SharedArrayBuffer;
  readonly members: number;
  /** Secret seed of the hashes, so that a client cannot choose an address that shares words. */
  readonly seed: string;
}

/** An address, as its place in both rows. */
export interface AddressSlots {
  readonly slot0: number;
  readonly slot1: number;
}

const ROWS = 2;
const WORD_BYTES = 4;

/**
 * Allocates counts. Pages that are never used take address space, but no memory.
 *
 * @param bits - each row has 2^bits slots
 */
export function makeAddressCountsMemory(
  members: number,
  bits: number,
  seed: string,
): AddressCountsMemory {
  const words = new SharedArrayBuffer(members * ROWS * 2 ** bits * WORD_BYTES);
  return { words, members, seed };
}

/** Forgets what a member counted. Called by main after the member's thread has ended. */
export function clearAddressCounts({ words, members }: AddressCountsMemory, member: number): void {
  const all = new Int32Array(words);
  const length = all.length / members;
  const own = all.subarray(member * length, (member + 1) * length);
  // A write would make unused pages take memory.
  for (let at = 0; at < own.length; at += 1) if (own[at] !== 0) own[at] = 0;
}

/** The counts of a node, as one member sees and changes them. */
export class AddressCounts {
  readonly #words: Int32Array;
  readonly #slots: number;
  readonly #members: number;
  readonly #member: number;
  readonly #seed: string;

  constructor({ words, members, seed }: AddressCountsMemory, member: number) {
    this.#words = new Int32Array(words);
    this.#slots = this.#words.length / members / ROWS;
    this.#members = members;
    this.#member = member;
    this.#seed = seed;
  }

  /** Returns the place of an address. Takes a few µs. */
  slotsOf(address: string): AddressSlots {
    const digest = createHmac("sha256", this.#seed).update(address).digest();
    const mask = this.#slots - 1;
    return {
      slot0: digest.readInt32LE(0) & mask,
      slot1: this.#slots + (digest.readInt32LE(4) & mask),
    };
  }

  /** Adds to the count of an address on this member. */
  add({ slot0, slot1 }: AddressSlots, n: number): void {
    const own = this.#member * ROWS * this.#slots;
    Atomics.add(this.#words, own + slot0, n);
    Atomics.add(this.#words, own + slot1, n);
  }

  /** Returns the count of an address on all members. */
  total({ slot0, slot1 }: AddressSlots): number {
    let sum0 = 0;
    let sum1 = 0;
    for (let member = 0; member < this.#members; member += 1) {
      const base = member * ROWS * this.#slots;
      sum0 += Atomics.load(this.#words, base + slot0);
      sum1 += Atomics.load(this.#words, base + slot1);
    }
    return Math.min(sum0, sum1);
  }
}
