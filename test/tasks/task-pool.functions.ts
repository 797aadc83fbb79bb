/**
 * Tasks of task-pool.test.ts.
 *
 * Runs on: a thread of the task pool.
 */

import { once } from "node:events";
import { threadId } from "node:worker_threads";

import { defineTasks, type TaskContext } from "../../src/index.ts";

let last = new Uint8Array();

/** Words of the memory that a test shares with its tasks. */
export const WORD = { started: 0, released: 1 } as const;

/** Doubles a number. */
function double(n: number): number {
  return n * 2;
}

/** Throws an error with all properties that an error can have. */
function fail(): never {
  const error = new RangeError("too far", { cause: new Error("no fuel") });
  throw Object.assign(error, { code: "E_FAR" });
}

/** Reports that it runs, and blocks its thread until the test lets it go. */
function hold(shared: SharedArrayBuffer): string {
  begin(shared);
  Atomics.wait(new Int32Array(shared), WORD.released, 0);
  return "released";
}

/** Ends its own thread. */
function leave(): never {
  process.exit(3);
}

/** Returns a value that cannot be sent to another thread. */
function unclonable(): () => void {
  return () => {};
}

/** Starts something on its thread that fails after the task is done, when the test allows it. */
function failLater(shared: SharedArrayBuffer): string {
  setImmediate(() => {
    Atomics.wait(new Int32Array(shared), WORD.released, 0);
    throw new Error("after the task");
  });
  return "done";
}

/** Sums bytes. */
function sum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => total + byte, 0);
}

/** Returns bytes without a copy, and remembers their buffer. */
function give(length: number, { transfer }: TaskContext): Uint8Array {
  last = new Uint8Array(length).fill(7);
  return transfer(last, [last.buffer]);
}

/** Returns the length of the bytes last returned by `give`: 0 after they were transferred. */
function bytesLeft(): number {
  return last.byteLength;
}

/** Runs until it is told to end, and then reports its thread's number. */
function mind(shared: SharedArrayBuffer, context: TaskContext): void {
  // Read before it reports that it runs: from then on it may be cancelled.
  if (!context.isCancelled) begin(shared);
  while (!context.isCancelled);
  Atomics.store(new Int32Array(shared), WORD.released, threadId);
  Atomics.notify(new Int32Array(shared), WORD.released);
}

/** Waits for its signal instead of blocking, and then reports its thread's number. */
async function mindSignal(shared: SharedArrayBuffer, { signal }: TaskContext): Promise<void> {
  const aborted = once(signal, "abort");
  begin(shared);
  await aborted;
  Atomics.store(new Int32Array(shared), WORD.released, threadId);
  Atomics.notify(new Int32Array(shared), WORD.released);
}

/** Reads its signal once, and then blocks its thread without checking it again. */
function hearAndHold(shared: SharedArrayBuffer, { signal }: TaskContext): string {
  return signal.aborted ? "aborted" : hold(shared);
}

/** Returns the number of its thread. */
function where(): number {
  return threadId;
}

function begin(shared: SharedArrayBuffer): void {
  const words = new Int32Array(shared);
  Atomics.add(words, WORD.started, 1);
  Atomics.notify(words, WORD.started);
}

function print(text: string): void {
  console.log(`${text} on stdout`);
  console.error(`${text} on stderr`);
}

export default defineTasks({
  print,
  double,
  fail,
  hold,
  leave,
  unclonable,
  failLater,
  sum,
  give,
  bytesLeft,
  mind,
  mindSignal,
  hearAndHold,
  where,
});
