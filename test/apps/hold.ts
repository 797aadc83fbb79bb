/**
 * Holds up a thread, as user code does that computes for long, but takes no CPU from other tests.
 *
 * Runs on: the thread that is held up.
 */

/**
 * Holds the calling thread's loop.
 *
 * @param ms - at most so long
 * @param release - a word of 0: it is held until the word changes, and the thread is notified
 */
export function holdLoop(ms: number, release = new SharedArrayBuffer(4)): void {
  Atomics.wait(new Int32Array(release), 0, 0, ms);
}

/** Lets go whoever is held up by a word. */
export function releaseLoop(release: SharedArrayBuffer): void {
  const word = new Int32Array(release);
  Atomics.store(word, 0, 1);
  Atomics.notify(word, 0);
}
