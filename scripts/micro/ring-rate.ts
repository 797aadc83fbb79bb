/**
 * How many records of 64 bytes pass from one thread to another in a second, by our ring.
 *
 * Runs on: the thread that asks reads; a worker (`ring-rate-writer`) writes.
 */

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { RING_WORDS_BYTES } from "../../src/memory/ring-layout.ts";
import { RingConsumer, makeRingViews } from "../../src/memory/ring.ts";

/** What is written each time. */
export const RECORD_BYTES = 64;
/** Room of the measured ring. */
export const CAPACITY_BYTES = 65_536;
/** Where the ring lies in its memory, which it has for itself. */
export const RING_PLACE = {
  wordsOffset: 0,
  recordsOffset: RING_WORDS_BYTES,
  capacityBytes: CAPACITY_BYTES,
};

/** Writes and reads so many records. @returns records a second */
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
  if (sum !== records)
    throw new Error(`each record begins with 1: sum must be ${records}, got ${sum}`);
  await ended;
  return rate;
}

/** Reads all records and looks at a word of each. @returns the sum, so that nothing is left out */
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
