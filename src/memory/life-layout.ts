/**
 * Layout of the life words, which main and the members use to shut down without messages.
 *
 *   word 0     stop       written only by main: 1 once every member must close immediately
 *   word 1     ready      written only by main: 1 while the node accepts clients
 *   word 2     draining   written only by main: 1 once all shards must refuse new clients
 *
 *   member n, from word LIFE_WORDS * (n + 1)
 *     +0       released   written only by main: 1 once the member receives no more connections
 *     +1       closed     written only by the member: 1 once its app is closed and its thread
 *                         can end safely
 *
 * Each member's words occupy a pair of cache lines of their own.
 *
 * Runs on: any thread. Constants and arithmetic only.
 */

/** Word that tells every member to close immediately. */
export const STOP_WORD = 0;
/** Word that says whether the node accepts clients. */
export const READY_WORD = 1;
/** Word that tells all shards to refuse new clients. */
export const DRAINING_WORD = 2;
/** Stride between the blocks of consecutive members (words). */
export const LIFE_WORDS = 32;

/** Returns the index of the word that says that a member receives no more connections. */
export function releasedWord(member: number): number {
  return LIFE_WORDS * (member + 1);
}

/** Returns the index of the word that says that a member's app is closed. */
export function closedWord(member: number): number {
  return releasedWord(member) + 1;
}

/** Returns the size of the life words for a given number of members (bytes). */
export function lifeBytes(members: number): number {
  return LIFE_WORDS * (members + 1) * 4;
}
