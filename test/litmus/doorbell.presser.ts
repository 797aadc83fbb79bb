/** A presser of doorbell.test.ts: adds work, presses the doorbell, and sleeps until it is answered. */
import assert from "node:assert/strict";
import { workerData } from "node:worker_threads";
import { Doorbell } from "../../src/memory/doorbell.ts";
import { LOST_AFTER_MS, makeRandom, pause } from "../support/litmus.ts";

const { doorbells, work, answers, member, rounds } = workerData as {
  doorbells: SharedArrayBuffer;
  work: Int32Array;
  answers: Int32Array;
  member: number;
  rounds: number;
};
const doorbell = new Doorbell(doorbells, member);
const random = makeRandom(member);

for (let round = 1; round <= rounds; round += 1) {
  Atomics.store(work, member, round);
  doorbell.press(0);
  for (;;) {
    doorbell.arm();
    if (Atomics.load(answers, member) === round) break;
    const isPressed = doorbell.waitBlocking(LOST_AFTER_MS);
    doorbell.disarm();
    assert.ok(isPressed, `the answer to round ${round} did not arrive within ${LOST_AFTER_MS} ms`);
  }
  doorbell.disarm();
  pause(random);
}
