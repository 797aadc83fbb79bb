/**
 * Offsets of kept messages: integers that rise by one per topic.
 *
 * The first offset of an epoch is so high that no offset equals a ref that a client counts, and low
 * enough that all offsets are exact in a double.
 *
 * Runs on: any thread. Constants only.
 */

/** Offset of the first message of a topic in each epoch. */
export const FIRST_OFFSET = 1_000_000_000_000;

/** Head of a topic in which no offset has been used yet. */
export const OFFSET_BEFORE_FIRST = FIRST_OFFSET - 1;
