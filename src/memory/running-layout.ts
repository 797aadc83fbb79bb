/**
 * Layout of the notes of running callbacks: for each member, which callback of user code it runs.
 *
 *   member n, from byte NOTE_BYTES * n
 *   0                  4                  8           +128         +128
 *   +------------------+------------------+-----------+------------+
 *   | topic's length   | event's length   | topic     | event      |
 *   +------------------+------------------+-----------+------------+
 *     lengths   in UTF-16 units, cut to TEXT_UNITS; the topic's is NOTHING_RUNS while no callback runs
 *     texts     in UTF-16
 *
 * All of it is written only by the member.
 *
 * Runs on: any thread. Constants and arithmetic only.
 */

/** Longest part of a topic or an event that is noted (UTF-16 units). */
export const TEXT_UNITS = 64;
/** Length of the topic while no callback runs. */
export const NOTHING_RUNS = -1;

const TEXT_BYTES = TEXT_UNITS * 2;
const HEADER_BYTES = 8;
const CACHE_LINE_PAIR_BYTES = 128;

/** Size of one member's note (bytes). */
export const NOTE_BYTES =
  Math.ceil((HEADER_BYTES + 2 * TEXT_BYTES) / CACHE_LINE_PAIR_BYTES) * CACHE_LINE_PAIR_BYTES;

/** Returns the index of the word that holds the topic's length. */
export function topicLengthWord(member: number): number {
  return (member * NOTE_BYTES) / 4;
}

/** Returns the index of the word that holds the event's length. */
export function eventLengthWord(member: number): number {
  return topicLengthWord(member) + 1;
}

/** Returns the index of the topic's first UTF-16 unit. */
export function topicUnit(member: number): number {
  return (member * NOTE_BYTES + HEADER_BYTES) / 2;
}

/** Returns the index of the event's first UTF-16 unit. */
export function eventUnit(member: number): number {
  return topicUnit(member) + TEXT_UNITS;
}

/** Returns the size of the notes for a given number of members (bytes). */
export function runningBytes(members: number): number {
  return members * NOTE_BYTES;
}
