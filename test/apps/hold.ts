/**
 * Blocks a thread like user code that computes for a long time, but without taking CPU from other tests.
 *
 * Runs on: the thread that is blocked.
 */

/**
 * Blocks the loop of the calling thread.
 *
 * @param ms - the longest time
 * @param release - a word that is 0; the thread is blocked until `releaseLoop` changes it
 */
export function holdLoop(ms: number, release = new SharedArrayBuffer(4)): void {
  Atomics.wait(new Int32Array(release), 0, 0, ms);
}

/** Releases the threads that are blocked by a word. */
export function releaseLoop(release: SharedArrayBuffer): void {
  const word = new Int32Array(release);
  Atomics.store(word, 0, 1);
  Atomics.notify(word, 0);
}
