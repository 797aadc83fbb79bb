/**
 * Compares our ring with ringbuf.js, by passing records of 64 bytes from one thread to another.
 *
 * Runs on: the main thread, which reads, and a worker, which writes. Both rings take turns in one run.
 * Usage:   npm run build && node dist/scripts/micro/ring.js
 *
 * ringbuf.js carries elements rather than records: it receives 64 of them at a time, without a
 * header or a type. Both rings have 64 KiB. Look at the ratio rather than the absolute numbers.
 */

import { once } from "node:events";
import { Worker, isMainThread, workerData } from "node:worker_threads";
import { RingBuffer } from "ringbuf.js";
import { CAPACITY_BYTES, RECORD_BYTES, measureRingRate } from "./ring-rate.ts";

const RECORDS = 3_000_000;
const ROUNDS = 5;

function writeTheirs(shared: SharedArrayBuffer, record: Uint8Array): void {
  const ring = new RingBuffer(shared, Uint8Array);
  for (let written = 0; written < RECORDS;) {
    if (ring.availableWrite() < RECORD_BYTES) continue;
    ring.push(record);
    written += 1;
  }
}

function readTheirs(shared: SharedArrayBuffer): number {
  const ring = new RingBuffer(shared, Uint8Array);
  const record = new Uint8Array(RECORD_BYTES);
  const words = new Int32Array(record.buffer);
  let sum = 0;
  for (let read = 0; read < RECORDS;) {
    if (ring.availableRead() < RECORD_BYTES) continue;
    ring.pop(record);
    sum += words[0] as number;
    read += 1;
  }
  return sum;
}

async function measureTheirs(): Promise<number> {
  const shared = RingBuffer.getStorageForCapacity(CAPACITY_BYTES, Uint8Array);
  const worker = new Worker(new URL(import.meta.url), { workerData: { shared } });
  const ended = once(worker, "exit");
  await once(worker, "online");
  const started = performance.now();
  const sum = readTheirs(shared);
  const rate = RECORDS / ((performance.now() - started) / 1_000);
  if (sum !== RECORDS) throw new Error(`sum must be ${RECORDS}, got ${sum}`);
  await ended;
  return rate;
}

if (isMainThread) {
  const best = { simurgh: 0, "ringbuf.js": 0 };
  for (let round = 0; round < ROUNDS; round += 1) {
    best.simurgh = Math.max(best.simurgh, await measureRingRate(RECORDS));
    best["ringbuf.js"] = Math.max(best["ringbuf.js"], await measureTheirs());
  }
  for (const [name, rate] of Object.entries(best)) {
    process.stdout.write(`${name.padEnd(12)}${(rate / 1e6).toFixed(2)} million records a second\n`);
  }
  const ratio = best.simurgh / best["ringbuf.js"];
  process.stdout.write(`ratio       ${ratio.toFixed(2)} (best of ${ROUNDS} each)\n`);
} else {
  const { shared } = workerData as { readonly shared: SharedArrayBuffer };
  const record = new Uint8Array(RECORD_BYTES);
  record[0] = 1;
  writeTheirs(shared, record);
}
