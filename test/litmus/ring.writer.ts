/** The writer of ring.test.ts: numbered records of 1 to 6 words, each of which is the number. */
import { workerData } from "node:worker_threads";
import { RingProducer, makeRingViews } from "../../src/memory/ring.ts";
import type { RingPlace } from "../../src/memory/ring-layout.ts";
import { makeRandom, pause } from "../support/litmus.ts";
import { tryWrite } from "../support/ring.ts";

const { shared, place, messages } = workerData as {
  shared: SharedArrayBuffer;
  place: RingPlace;
  messages: number;
};
const producer = new RingProducer(makeRingViews(shared), place);
const payload = new Uint8Array(24);
const words = new Int32Array(payload.buffer);
const random = makeRandom(1);

for (let sequence = 1; sequence <= messages;) {
  words.fill(sequence);
  if (tryWrite(producer, 1, payload.subarray(0, 4 + (sequence % 6) * 4))) {
    sequence += 1;
    pause(random);
  }
}
