/**
 * Measures the rate at which records of 64 bytes pass from one thread to another through a ring.
 *
 * Runs on: the caller's thread, which reads, and a worker (`ring-rate-writer`), which writes.
 */

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { RING_WORDS_BYTES } from "../../src/memory/ring-layout.ts";
import { RingConsumer, makeRingViews } from "../../src/memory/ring.ts";

/** Size of a record. */
export const RECORD_BYTES = 64;
/** Capacity of the ring. */
export const CAPACITY_BYTES = 65_536;
/** Location of the ring in its shared memory, which contains nothing else. */
export const RING_PLACE = {
  wordsOffset: 0,
  recordsOffset: RING_WORDS_BYTES,
  capacityBytes: CAPACITY_BYTES,
};

/**
 * Writes and reads a number of records, in equal parts without a pause between them.
 *
 * @returns the rate of the fastest part (records per second)
 */
export async function measureRingRate(records: number, parts = 1): Promise<number> {
  const shared = new SharedArrayBuffer(RING_WORDS_BYTES + CAPACITY_BYTES);
  const worker = new Worker(new URL("./ring-rate-writer.js", import.meta.url), {
    workerData: { shared, records },
  });
  const ended = once(worker, "exit");
  await once(worker, "online");
  const { sum, shortestMs } = readAll(shared, records, parts);
  if (sum !== records) throw new Error(`the sum of all records must be ${records}, got ${sum}`);
  await ended;
  return records / parts / (shortestMs / 1_000);
}

/** Reads one word of each record. @returns their sum, so that the reads are not optimized away, and the time of the fastest part */
function readAll(
  shared: SharedArrayBuffer,
  records: number,
  parts: number,
): { readonly sum: number; readonly shortestMs: number } {
  const views = makeRingViews(shared);
  const ring = new RingConsumer(views, RING_PLACE);
  let sum = 0;
  const onRecord = (_type: number, _bytes: Uint8Array, offset: number): void => {
    sum += views.words[offset >> 2] as number;
  };
  let shortestMs = Infinity;
  let startedMs = performance.now();
  for (let part = 1, read = 0; part <= parts; part += 1) {
    const until = Math.floor((records * part) / parts);
    while (read < until) read += ring.drain(onRecord, until - read);
    const nowMs = performance.now();
    shortestMs = Math.min(shortestMs, nowMs - startedMs);
    startedMs = nowMs;
  }
  return { sum, shortestMs };
}
