/**
 * Layout of the life words: how main and the other members end without a message.
 *
 *   word 0     stop       written by main only: 1 once everything must be closed at once
 *   word 1     ready      written by main only: 1 while the node takes clients, and keeps them
 *   word 2     drained    written by main only: 1 once no shard is to take any client
 *
 *   member n, from word LIFE_WORDS * (n + 1)
 *     +0       released   written by main only: 1 once no connection is dealt to it any more
 *     +1       closed     written by the member only: 1 once its app is closed, and its thread
 *                         may end without harm
 *
 * Each member's words stand on a pair of cache lines of their own.
 *
 * Runs on: any thread. Constants and arithmetic only.
 */

/** Word that says that all must close at once. */
export const STOP_WORD = 0;
/** Word that says whether the node is ready for clients. */
export const READY_WORD = 1;
/** Word that says whether the node drains. */
export const DRAINED_WORD = 2;
/** Words from one member's to the next. */
export const LIFE_WORDS = 32;

/** Word that says that a member is out of the deal. */
export function releasedWord(member: number): number {
  return LIFE_WORDS * (member + 1);
}

/** Word that says that a member's app is closed. */
export function closedWord(member: number): number {
  return releasedWord(member) + 1;
}

/** Bytes for so many members. */
export function lifeBytes(members: number): number {
  return LIFE_WORDS * (members + 1) * 4;
}
