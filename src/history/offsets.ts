/**
 * Offsets of kept messages: integers that rise by one per topic.
 *
 * They begin so high that no offset equals a ref that a client counts, and low enough that all are
 * exact in a double.
 *
 * Runs on: any thread. Constants only.
 */

/** Head of a topic in which no offset has been used yet. */
export const OFFSET_BEFORE_FIRST = 1_000_000_000_000;

/** Offset of the first message of a topic in each epoch. */
export const FIRST_OFFSET = OFFSET_BEFORE_FIRST + 1;
