/**
 * What each member of a node holds for its clients and for other members, in total and by the size of the owners.
 *
 * From these numbers each thread finds, without asking the others, the size from which owners must be closed.
 *
 * Runs on: any thread; one BufferGauges for each member.
 * Owns:    a member writes only its own block; main clears it after the thread has ended.
 * Order:   none. A reader may see the new value of one gauge and the old value of another. It then
 *          closes one owner too many or too few, which the next sample corrects.
 */

import {
  CLASS_AT,
  CLASSES,
  GAUGES_BYTES,
  GAUGES_DOUBLES,
  TOTAL_AT,
} from "./buffer-gauges-layout.ts";

/** Allocates gauges for a given number of members. */
export function makeBufferGaugesMemory(members: number): SharedArrayBuffer {
  return new SharedArrayBuffer(members * GAUGES_BYTES);
}

/** Clears the gauges of a member. Called by main after the member's thread has ended. */
export function clearBufferGauges(shared: SharedArrayBuffer, member: number): void {
  new Float64Array(shared, member * GAUGES_BYTES, GAUGES_DOUBLES).fill(0);
}

/** The gauges of a node, as one member sees and changes them. */
export class BufferGauges {
  readonly #all: Float64Array;
  readonly #own: number;

  constructor(shared: SharedArrayBuffer, member: number) {
    this.#all = new Float64Array(shared);
    this.#own = member * GAUGES_DOUBLES;
  }

  /** The number of members. */
  get members(): number {
    return this.#all.length / GAUGES_DOUBLES;
  }

  /** Bytes that all members hold. */
  get total(): number {
    return this.#sum(TOTAL_AT);
  }

  /** Publishes what this member holds. */
  publish(total: number, classes: Float64Array): void {
    this.#all[this.#own + TOTAL_AT] = total;
    for (let at = 0; at < CLASSES; at += 1) {
      this.#all[this.#own + CLASS_AT + at] = classes[at] as number;
    }
  }

  /** Returns the bytes of all members in a class. */
  bytesIn(sizeClass: number): number {
    return this.#sum(CLASS_AT + sizeClass);
  }

  /** Returns the bytes of this member in a class. */
  ownBytesIn(sizeClass: number): number {
    return this.#all[this.#own + CLASS_AT + sizeClass] as number;
  }

  #sum(at: number): number {
    let sum = 0;
    for (let from = at; from < this.#all.length; from += GAUGES_DOUBLES) {
      sum += this.#all[from] as number;
    }
    return sum;
  }
}
