/**
 * Layout of the doorbells: a sequence and a sleeping word for each member.
 *
 *   member 0            member 1            ...
 *   0                   256
 *   +-------------------+-------------------+--
 *   | +0   sequence     |                   |     Atomics.add, by whoever presses
 *   | +1   naps         |                   |     Atomics.add, by whoever wakes from a nap
 *   | +32  sleeping     |                   |     written by the member that sleeps only
 *   | +33  napping      |                   |     written by the member that naps only
 *   +-------------------+-------------------+--
 *
 *   sequence   even; each press adds SEQUENCE_STEP; wraps at 2^32
 *   naps       counts what woke the member from naps; wraps at 2^32
 *   sleeping   AWAKE, or the sequence that the member sleeps on with SLEEPING_BIT set
 *   napping    1 while its thread stands still
 *
 * The two lie two cache lines apart: producers look at `sleeping` after every record, and
 * it changes only when its owner goes to sleep or wakes.
 *
 * Runs on: any thread. Constants and arithmetic only.
 */

/** Word of a member's block that holds its sequence. */
export const SEQUENCE_WORD = 0;

/** Word of a member's block that changes when it is woken from a nap. */
export const NAPS_WORD = 1;

/** Word of a member's block that tells whether it sleeps, and on which sequence. */
export const SLEEPING_WORD = 32;

/** Word of a member's block that tells whether it naps. */
export const NAPPING_WORD = 33;

/** Words from one member's block to the next. */
export const DOORBELL_WORDS = 64;

/** What a press adds to the sequence. */
export const SEQUENCE_STEP = 2;

/** Value of the sleeping word while its owner is awake. */
export const AWAKE = 0;

/** Set in a sleeping word that is not AWAKE; no sequence has it. */
export const SLEEPING_BIT = 1;

/** Gives the bytes that the doorbells of so many members take. */
export function doorbellBytes(members: number): number {
  return members * DOORBELL_WORDS * 4;
}
