/**
 * Layout of the life words, which main and the members use to shut down, and to notice a thread that
 * is stuck, without messages.
 *
 *   word 0     stop       written only by main: 1 once every member must close immediately
 *   word 1     ready      written only by main: 1 while the node accepts clients
 *   word 2     draining   written only by main: 1 once all shards must refuse new clients
 *   word 3     time       written only by main, every TICK_MS: milliseconds on the clock that all
 *                         threads share (`monotonicMs`), which wrap at 2^32
 *   word 4     late       written only by main: the time of its last tick that came late
 *
 *   member n, from word LIFE_WORDS * (n + 1)
 *     +0       released   written only by main: 1 once the member receives no more connections
 *     +1       closed     written only by the member: 1 once its app is closed and its thread
 *                         can end safely
 *     +2       beats      written only by the member: grows by 1 every BEAT_MS while its loop turns
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
/** Word that holds the time at main's last tick. */
export const TIME_WORD = 3;
/** Word that holds the time of main's last tick that came late. */
export const LATE_WORD = 4;
/** Interval at which main stores the time. */
export const TICK_MS = 20;
/** Interval at which a member whose event loop turns adds to its beats. */
export const BEAT_MS = 100;
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

/** Returns the index of the word that counts a member's beats. */
export function beatsWord(member: number): number {
  return releasedWord(member) + 2;
}

/** Returns the size of the life words for a given number of members (bytes). */
export function lifeBytes(members: number): number {
  return LIFE_WORDS * (members + 1) * 4;
}
