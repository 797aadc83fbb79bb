/**
 * Three subscribers join and leave one slot, whose word holds all their bits, and a
 * publisher writes to the slot's members when one of them tells that it has joined.
 *
 *   a record reaches a member that told its join before      allowed
 *   a record misses it                                       forbidden
 *   a bit is set when its member has left and all is quiet   forbidden
 *
 * Seen to fail with: MUTATION_LINE
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { makeExchange, makeExchangeShared } from "../support/exchange.ts";
import { litmusDeadlineMs, litmusRounds, startWorker } from "../support/litmus.ts";

const SUBSCRIBERS = [1, 2, 3];
/** A subscriber that does not get its turn on a core must not be lapped meanwhile. */
const ROOMY = { overflowBytes: 2 ** 28, overflowTotalBytes: 2 ** 28 };
const failPublisher = (): never => assert.fail("nothing is sent to the publisher");
const ROUNDS = litmusRounds(20);

it("never misses a member that has told its join", async () => {
  const shared = makeExchangeShared({ members: 4, ringBytes: 4_096, ...ROOMY });
  const ready = new Int32Array(new SharedArrayBuffer(16));
  const done = new Int32Array(new SharedArrayBuffer(16));
  const url = new URL("./index.subscriber.js", import.meta.url);
  const ends = SUBSCRIBERS.map(async (member) =>
    startWorker(url, { shared, ready, done, member, rounds: ROUNDS }).exited(
      `the end of subscriber ${member}`,
    ),
  );
  let failure: unknown;
  const all = Promise.all(ends).catch((error: unknown) => {
    failure = error;
  });

  const { exchange, index } = makeExchange(shared, 0);
  exchange.attach({ onRecord: failPublisher, onLapped: failPublisher, onError: failPublisher });
  const published = new Int32Array(4);
  const record = new Uint8Array(8);
  const view = new DataView(record.buffer);
  const publishRounds = (): void => {
    for (const member of SUBSCRIBERS) {
      const round = Atomics.load(ready, member);
      if (round === done[member]) continue;
      if (published[member] !== round) {
        view.setInt32(0, member, true);
        view.setInt32(4, round, true);
        exchange.publish(0, 1, record, 8, -1);
        published[member] = round;
      }
      exchange.drainNow();
      // While it waits for room it is not lost, only not there yet.
      if (exchange.queuedBytesTo(member) > 0) continue;
      Atomics.store(done, member, round);
    }
  };
  const deadline = performance.now() + litmusDeadlineMs();
  while (failure === undefined && SUBSCRIBERS.some((member) => done[member] !== ROUNDS)) {
    for (let turn = 0; turn < 1_000; turn += 1) publishRounds();
    if (performance.now() > deadline) assert.fail(`only rounds ${done.join()} came in time`);
    await setImmediate();
  }
  await all;
  assert.ifError(failure);
  assert.equal(index.word(0, 0), 0);
});
