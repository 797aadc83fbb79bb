/**
 * Blocks a thread like user code that computes for a long time, but without taking CPU from other tests.
 *
 * Runs on: the thread that is blocked.
 */

// The words of the memory that a test shares with the thread that it blocks.
const RELEASED = 0;
const HELD = 1;
const WORDS = 2;

/** Returns the memory by which a test releases a thread. */
export function makeRelease(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT);
}

/**
 * Blocks the loop of the calling thread.
 *
 * @param ms - the longest time
 * @param release - memory of `makeRelease`; the thread is blocked until `releaseLoop`
 */
export function holdLoop(ms: number, release = makeRelease()): void {
  const words = new Int32Array(release);
  Atomics.store(words, HELD, 1);
  Atomics.wait(words, RELEASED, 0, ms);
}

/** Reports whether a thread has been blocked. */
export function isLoopHeld(release: SharedArrayBuffer): boolean {
  return Atomics.load(new Int32Array(release), HELD) === 1;
}

/** Releases the threads that are blocked. */
export function releaseLoop(release: SharedArrayBuffer): void {
  const words = new Int32Array(release);
  Atomics.store(words, RELEASED, 1);
  Atomics.notify(words, RELEASED);
}
