/**
 * The tasks of the tasks app.
 *
 * Runs on: a thread of the task pool.
 */

import { threadId } from "node:worker_threads";

import { defineTasks, type TaskContext } from "../../src/index.ts";

/** Doubles a number. */
function double({ n }: { readonly n: number }): number {
  return n * 2;
}

/** Returns the thread that it runs on. */
function where(): number {
  return threadId;
}

/** Fails with a code. */
function fail(): never {
  throw Object.assign(new RangeError("too far"), { code: "E_FAR" });
}

/** Burns CPU until it is told to stop, or forever. */
function burn(flag: SharedArrayBuffer): string {
  const words = new Int32Array(flag);
  Atomics.store(words, 1, 1);
  Atomics.notify(words, 1);
  while (Atomics.load(words, 0) === 0);
  return "burnt";
}

/** Sums bytes. */
function sum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => total + byte, 0);
}

let last = new Uint8Array();

/** Returns bytes by transferring them rather than copying. */
function ones(length: number, { transfer }: TaskContext): Uint8Array {
  last = new Uint8Array(length).fill(1);
  return transfer(last, [last.buffer]);
}

/** Returns how many of those bytes are left on this thread. */
function left(): number {
  return last.byteLength;
}

export default defineTasks({ double, where, fail, burn, sum, ones, left });
