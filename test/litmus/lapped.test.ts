/**
 * A producer outruns its consumer with tiny bounds, so that many of its records are lost. Records
 * contain their slot and their number within it.
 *
 *   the next number of its slot                                        allowed
 *   a gap, with a notice for that slot since its last record           allowed
 *   a gap without a notice; received + lapped different from sent;
 *   a slot whose last records are missing without a notice             forbidden
 *
 * Seen to fail with: the notice put after the next record; no notice without a next record; only the
 * first three slots noted.
 */
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { it } from "node:test";
import { within } from "../support/deadline.ts";
import { makeExchange, makeExchangeShared } from "../support/exchange.ts";
import { LOST_AFTER_MS, litmusRounds, makeRandom, pause, startWorker } from "../support/litmus.ts";

const SLOTS = 16;
const RECORDS = litmusRounds(4);

interface Report {
  readonly sent: Int32Array;
  readonly lapped: number;
}

it("reports every loss, and where it happened", async (test) => {
  const overflow = { overflowBytes: 2_000, overflowTotalBytes: 2_000 };
  const shared = makeExchangeShared({ members: 2, startPosition: -24, ...overflow });
  const { exchange } = makeExchange(shared, 0);
  const url = new URL("./lapped.producer.js", import.meta.url);
  const producer = startWorker(test, url, { shared, records: RECORDS, slots: SLOTS });
  const ended = producer.exited("the end of the producer");
  const report = producer.message("the producer's report") as Promise<Report>;

  const events = new EventEmitter();
  let onFailure: (error: unknown) => void = assert.ifError;
  const failed = new Promise<never>((_resolve, reject) => {
    onFailure = reject;
  });
  const random = makeRandom(3);
  const next = new Int32Array(SLOTS).fill(1);
  const isTold = new Uint8Array(SLOTS);
  let received = 0;
  exchange.start({
    onRecord: (_from, _type, bytes, offset, length) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset + offset, length);
      const slot = view.getInt32(0, true);
      const number = view.getInt32(4, true);
      if (number !== next[slot]) {
        assert.ok(number > (next[slot] as number), "a number that arrived before");
        assert.equal(
          isTold[slot],
          1,
          `slot ${slot} lost records before ${number} without a notice`,
        );
      }
      next[slot] = number + 1;
      isTold[slot] = 0;
      received += 1;
      pause(random);
      events.emit("progress");
    },
    onLapped: (_from, slots) => {
      assert.ok(slots !== "all");
      for (const slot of slots) isTold[slot] = 1;
      events.emit("progress");
    },
    onError: (error) => onFailure(error),
  });

  const { sent, lapped } = await Promise.race([report, failed]);
  const isSettled = (): boolean =>
    sent.every((count, slot) => next[slot] === count + 1 || isTold[slot] === 1) &&
    received + lapped >= RECORDS;
  while (!isSettled()) {
    const what = `the rest or its notice, after ${received} received and ${lapped} lapped`;
    await within(Promise.race([once(events, "progress"), failed]), what, LOST_AFTER_MS);
  }
  assert.ok(lapped > 0);
  assert.equal(received + lapped, RECORDS);
  producer.worker.postMessage("stop");
  exchange.stop();
  await ended;
});
