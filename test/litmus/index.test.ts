/**
 * Two members set and clear their bits in one word, as fast as they can:
 *
 *   a member's bit has the value that it has written          allowed
 *   it is lost, or back, because another wrote the word       forbidden
 *
 * Three subscribers join and leave one slot, whose word has all their bits. A publisher writes to the
 * members of the slot when one of them announces that it has joined:
 *
 *   a record reaches a member that had announced its join    allowed
 *   a record misses it                                       forbidden
 *
 * Seen to fail with: the bit set, or cleared, with a load and a store (first test); readiness
 * announced before the bit is set (second test).
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { subscriptionIndexBytes } from "../../src/pubsub/subscription-index-layout.ts";
import { makeExchange, makeExchangeShared } from "../support/exchange.ts";
import { FLIP_LAYOUT, flip } from "../support/flip.ts";
import { litmusDeadlineMs, litmusRounds, startWorker } from "../support/litmus.ts";

const SUBSCRIBERS = [1, 2, 3];
/** Large enough that a subscriber that gets no core for a while is not lapped. */
const ROOMY = { overflowBytes: 2 ** 28, overflowTotalBytes: 2 ** 28 };
const failPublisher = (): never => assert.fail("nothing is sent to the publisher");
const FLIPS = litmusRounds(1 / 10);
const ROUNDS = litmusRounds(50);

it("keeps a member's bit while another sets and clears its own", async (test) => {
  const shared = new SharedArrayBuffer(subscriptionIndexBytes(FLIP_LAYOUT));
  const url = new URL("./index.flipper.js", import.meta.url);
  const flipper = startWorker(test, url, { shared, member: 31, rounds: FLIPS });
  await flipper.message("the start of the other member");
  const ended = flipper.exited("the end of the other member");
  flip(shared, 0, FLIPS);
  await ended;
});

it("never misses a member that has announced its join", async (test) => {
  const shared = makeExchangeShared({ members: 4, ringBytes: 4_096, ...ROOMY });
  const ready = new Int32Array(new SharedArrayBuffer(16));
  const done = new Int32Array(new SharedArrayBuffer(16));
  const url = new URL("./index.subscriber.js", import.meta.url);
  const ends = SUBSCRIBERS.map(async (member) =>
    startWorker(test, url, { shared, ready, done, member, rounds: ROUNDS }).exited(
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
      // A record that waits for room is not lost, only late.
      if (exchange.queuedBytesTo(member) > 0) continue;
      Atomics.store(done, member, round);
    }
  };
  const deadline = performance.now() + litmusDeadlineMs();
  while (failure === undefined && SUBSCRIBERS.some((member) => done[member] !== ROUNDS)) {
    for (let turn = 0; turn < 1_000; turn += 1) publishRounds();
    if (performance.now() > deadline) assert.fail(`only rounds ${done.join()} finished in time`);
    await setImmediate();
  }
  await all;
  assert.ifError(failure);
  assert.equal(index.word(0, 0), 0);
});
