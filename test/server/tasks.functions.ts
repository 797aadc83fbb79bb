/**
 * Tasks of tasks.test.ts.
 *
 * Runs on: a thread of the task pool.
 */

/** Words of the memory that a test shares with its tasks. */
export const WORD = { started: 0, released: 1 } as const;

/** Doubles a number. */
export function double(n: number): number {
  return n * 2;
}

/** Fails with all that an error can have. */
export function fail(): never {
  const error = new RangeError("too far", { cause: new Error("no fuel") });
  throw Object.assign(error, { code: "E_FAR" });
}

/** Says that it runs, and holds its thread until the test lets it go. */
export function hold(shared: SharedArrayBuffer): string {
  const words = new Int32Array(shared);
  Atomics.add(words, WORD.started, 1);
  Atomics.notify(words, WORD.started);
  Atomics.wait(words, WORD.released, 0);
  return "released";
}

/** Ends its own thread. */
export function leave(): never {
  process.exit(3);
}

/** Gives what no other thread can have. */
export function unclonable(): () => void {
  return () => {};
}

/** Gives something to its thread that fails after the task is done, once the test lets it. */
export function failLater(shared: SharedArrayBuffer): string {
  setImmediate(() => {
    Atomics.wait(new Int32Array(shared), WORD.released, 0);
    throw new Error("after the task");
  });
  return "done";
}

/** Sums bytes. */
export function sum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => total + byte, 0);
}
