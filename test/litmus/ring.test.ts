/**
 * One writer thread and one reader thread on the smallest ring, so that nearly every step wraps around
 * and meets the other side.
 *
 *   next number, all of its words equal   allowed
 *   a gap, a repeat, or mixed words       forbidden
 *
 * Seen to fail with: the tail stored before the bytes; the head stored before the records are read;
 * the head not loaded before a claim.
 *
 * Slow: a race needs many rounds.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { litmusDeadlineMs, litmusRounds, startWorker } from "../support/litmus.ts";
import { makeRing } from "../support/ring.ts";

const MESSAGES = litmusRounds(1);

it("shows the reader every record once, whole and in order", async (test) => {
  const { shared, place, views, consumer } = makeRing({ startPosition: 0x7fff_ff00 });
  const url = new URL("./ring.writer.js", import.meta.url);
  const writer = startWorker(test, url, { shared, place, messages: MESSAGES });
  const ended = writer.exited("the end of the writer");

  let expected = 1;
  const onRecord = (_type: number, _bytes: Uint8Array, offset: number, length: number): void => {
    for (let at = offset; at < offset + length; at += 4) {
      if (views.words[at >> 2] !== expected) {
        assert.fail(`word ${at - offset} of ${expected} is ${views.words[at >> 2]}`);
      }
    }
    if (length !== 4 + (expected % 6) * 4) assert.fail(`length ${length} of ${expected}`);
    expected += 1;
  };
  const deadline = performance.now() + litmusDeadlineMs();
  while (expected <= MESSAGES) {
    for (let turn = 0; turn < 5_000; turn += 1) consumer.drain(onRecord, 1_000);
    if (performance.now() > deadline) assert.fail(`number ${expected} did not arrive in time`);
    await setImmediate();
  }
  await ended;
});
