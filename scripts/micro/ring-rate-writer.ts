/**
 * The writer thread of `ring-rate`.
 *
 * Runs on: a worker of the measurement.
 */

import { workerData } from "node:worker_threads";
import { RingProducer, makeRingViews } from "../../src/memory/ring.ts";
import { OutgoingRecord } from "../../src/pubsub/outgoing-records.ts";
import { RECORD_BYTES, RING_PLACE } from "./ring-rate.ts";

const { shared, records } = workerData as {
  readonly shared: SharedArrayBuffer;
  readonly records: number;
};
const ring = new RingProducer(makeRingViews(shared), RING_PLACE);
const outgoing = new OutgoingRecord();
const record = new Uint8Array(RECORD_BYTES);
record[0] = 1;
for (let written = 0; written < records;) {
  const offset = ring.claim(1, RECORD_BYTES);
  if (offset < 0) continue;
  outgoing.set(record, RECORD_BYTES);
  outgoing.copyTo(ring.views, offset, 0, RECORD_BYTES);
  ring.commit();
  written += 1;
}
