/**
 * Layout of the doorbells: four words for each member.
 *
 *   member 0            member 1            ...
 *   0                   256
 *   +-------------------+-------------------+--
 *   | +0   sequence     |                   |     Atomics.add, by any member that presses
 *   | +1   naps         |                   |     Atomics.add, by any member that ends the nap
 *   | +32  sleeping     |                   |     written only by the owner
 *   | +33  napping      |                   |     written only by the owner
 *   +-------------------+-------------------+--
 *
 *   sequence   even; each press adds SEQUENCE_STEP; wraps at 2^32
 *   naps       number of times the owner was woken from a nap; wraps at 2^32
 *   sleeping   AWAKE, or the sequence that the owner sleeps on with SLEEPING_BIT set
 *   napping    1 while the owner's thread is blocked in a nap
 *
 * The owner's words are two cache lines away from the other words. Producers load `sleeping` after
 * every record, but it changes only when the owner goes to sleep or wakes up.
 * Runs on: any thread. Constants and arithmetic only.
 */

/** Index of the sequence in a member's block. */
export const SEQUENCE_WORD = 0;

/** Index of the word that changes when the member is woken from a nap. */
export const NAPS_WORD = 1;

/** Index of the word that says whether the member is asleep, and on which sequence. */
export const SLEEPING_WORD = 32;

/** Index of the word that says whether the member is napping. */
export const NAPPING_WORD = 33;

/** Stride between the blocks of consecutive members (words). */
export const DOORBELL_WORDS = 64;

/** Amount that a press adds to the sequence. */
export const SEQUENCE_STEP = 2;

/** Value of the sleeping word while the owner is awake. */
export const AWAKE = 0;

/** Bit that is set in the sleeping word while the owner sleeps. It is never set in a sequence. */
export const SLEEPING_BIT = 1;

/** Returns the size of the doorbells for a given number of members (bytes). */
export function doorbellBytes(members: number): number {
  return members * DOORBELL_WORDS * 4;
}
