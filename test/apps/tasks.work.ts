/**
 * The tasks of the tasks app.
 *
 * Runs on: a thread of the task pool.
 */

import { threadId } from "node:worker_threads";

/** Doubles a number. */
export function double({ n }: { readonly n: number }): number {
  return n * 2;
}

/** Says which thread it runs on. */
export function where(): number {
  return threadId;
}

/** Fails with a code. */
export function fail(): never {
  throw Object.assign(new RangeError("too far"), { code: "E_FAR" });
}

/** Burns CPU until it is told to stop: for ever, where nobody does. */
export function burn(flag: SharedArrayBuffer): string {
  const words = new Int32Array(flag);
  Atomics.store(words, 1, 1);
  Atomics.notify(words, 1);
  while (Atomics.load(words, 0) === 0);
  return "burnt";
}

/** Sums bytes. */
export function sum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => total + byte, 0);
}
