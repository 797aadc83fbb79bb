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

/** Writes and reads a number of records. @returns records per second */
export async function measureRingRate(records: number): Promise<number> {
  const shared = new SharedArrayBuffer(RING_WORDS_BYTES + CAPACITY_BYTES);
  const worker = new Worker(new URL("./ring-rate-writer.js", import.meta.url), {
    workerData: { shared, records },
  });
  const ended = once(worker, "exit");
  await once(worker, "online");
  const started = performance.now();
  const sum = readAll(shared, records);
  const rate = records / ((performance.now() - started) / 1_000);
  if (sum !== records) throw new Error(`the sum of all records must be ${records}, got ${sum}`);
  await ended;
  return rate;
}

/** Reads one word of each record. @returns the sum, so that the reads are not optimized away */
function readAll(shared: SharedArrayBuffer, records: number): number {
  const views = makeRingViews(shared);
  const ring = new RingConsumer(views, RING_PLACE);
  let sum = 0;
  const onRecord = (_type: number, _bytes: Uint8Array, offset: number): void => {
    sum += views.words[offset >> 2] as number;
  };
  for (let read = 0; read < records;) read += ring.drain(onRecord, records);
  return sum;
}
