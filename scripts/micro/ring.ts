/**
 * Measures records of 64 bytes from one thread to another: our ring beside ringbuf.js.
 *
 * Runs on: its main thread reads, a worker writes; both sides in turns, one run.
 * Usage:   npm run build && node dist/scripts/micro/ring.js
 *
 * ringbuf.js carries elements, not records: it is given 64 of them each time, and needs no
 * header and no type for that. Both rings have 64 KiB. Read the ratio, not the numbers.
 */

import { once } from "node:events";
import { Worker, isMainThread, workerData } from "node:worker_threads";
import { RingBuffer } from "ringbuf.js";
import { RingConsumer, RingProducer, makeRingViews } from "../../src/memory/ring.ts";
import { RING_WORDS_BYTES } from "../../src/memory/ring-layout.ts";
import { OutgoingRecord } from "../../src/pubsub/outgoing-record.ts";

const RECORD_BYTES = 64;
const RECORDS = 3_000_000;
const ROUNDS = 5;
const CAPACITY_BYTES = 65_536;
const PLACE = {
  wordsOffset: 0,
  recordsOffset: RING_WORDS_BYTES,
  capacityBytes: CAPACITY_BYTES,
};

type Candidate = "simurgh" | "ringbuf.js";

function makeShared(name: Candidate): SharedArrayBuffer {
  return name === "simurgh"
    ? new SharedArrayBuffer(RING_WORDS_BYTES + CAPACITY_BYTES)
    : RingBuffer.getStorageForCapacity(CAPACITY_BYTES, Uint8Array);
}

function writeOurs(shared: SharedArrayBuffer, record: Uint8Array): void {
  const ring = new RingProducer(makeRingViews(shared), PLACE);
  const outgoing = new OutgoingRecord();
  for (let written = 0; written < RECORDS;) {
    const offset = ring.claim(1, RECORD_BYTES);
    if (offset < 0) continue;
    outgoing.set(record, RECORD_BYTES);
    outgoing.copyTo(ring.views, offset, 0, RECORD_BYTES);
    ring.commit();
    written += 1;
  }
}

function writeTheirs(shared: SharedArrayBuffer, record: Uint8Array): void {
  const ring = new RingBuffer(shared, Uint8Array);
  for (let written = 0; written < RECORDS;) {
    if (ring.availableWrite() < RECORD_BYTES) continue;
    ring.push(record);
    written += 1;
  }
}

/** Reads all records and looks at a word of each. @returns the sum, so that nothing is left out */
function readOurs(shared: SharedArrayBuffer): number {
  const views = makeRingViews(shared);
  const ring = new RingConsumer(views, PLACE);
  let sum = 0;
  const onRecord = (_type: number, _bytes: Uint8Array, offset: number): void => {
    sum += views.words[offset >> 2] as number;
  };
  for (let read = 0; read < RECORDS;) read += ring.drain(onRecord, RECORDS);
  return sum;
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

async function measure(name: Candidate): Promise<number> {
  const shared = makeShared(name);
  const worker = new Worker(new URL(import.meta.url), { workerData: { name, shared } });
  const ended = once(worker, "exit");
  await once(worker, "online");
  const started = performance.now();
  const sum = name === "simurgh" ? readOurs(shared) : readTheirs(shared);
  const perSecond = RECORDS / ((performance.now() - started) / 1_000);
  if (sum !== RECORDS) throw new Error(`sum ${sum}`);
  await ended;
  return perSecond / 1e6;
}

if (isMainThread) {
  const best = { simurgh: 0, "ringbuf.js": 0 };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of ["simurgh", "ringbuf.js"] as const) {
      best[name] = Math.max(best[name], await measure(name));
    }
  }
  for (const [name, millions] of Object.entries(best)) {
    process.stdout.write(`${name.padEnd(12)}${millions.toFixed(2)} million records a second\n`);
  }
  const ratio = best.simurgh / best["ringbuf.js"];
  process.stdout.write(`ratio       ${ratio.toFixed(2)} (best of ${ROUNDS} each)\n`);
} else {
  const { name, shared } = workerData as { name: Candidate; shared: SharedArrayBuffer };
  const record = new Uint8Array(RECORD_BYTES);
  record[0] = 1;
  if (name === "simurgh") writeOurs(shared, record);
  else writeTheirs(shared, record);
}
