/**
 * A subscriber of index.test.ts: joins, announces it, and must receive the record published after that.
 * Between rounds it joins and leaves other slots, whose words contain bits of the other members too.
 */
import assert from "node:assert/strict";
import { workerData } from "node:worker_threads";
import { makeExchange } from "../support/exchange.ts";
import type { ExchangeShared } from "../support/exchange.ts";
import { LOST_AFTER_MS, makeRandom, pause } from "../support/litmus.ts";

const { shared, ready, done, member, rounds } = workerData as {
  shared: ExchangeShared;
  /** By member: the round for which it has joined. */
  ready: Int32Array;
  /** By member: the round that was published. */
  done: Int32Array;
  member: number;
  rounds: number;
};
const { exchange, index } = makeExchange(shared, member);
const random = makeRandom(member);
let lastRound = 0;
exchange.attach({
  onRecord: (_from, _type, bytes, offset, length) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset + offset, length);
    if (view.getInt32(0, true) === member) lastRound = view.getInt32(4, true);
  },
  onLapped: () => assert.fail("lapped"),
  onError: (error) => {
    throw error;
  },
});

for (let round = 1; round <= rounds; round += 1) {
  index.add(0);
  Atomics.store(ready, member, round);
  const deadline = performance.now() + LOST_AFTER_MS;
  while (Atomics.load(done, member) !== round) {
    index.add(1);
    exchange.drainNow();
    index.remove(1);
    if (performance.now() > deadline) assert.fail(`round ${round} was not published in time`);
  }
  exchange.drainNow();
  assert.equal(lastRound, round, "the record published after the join was announced");
  index.remove(0);
  pause(random);
}
assert.equal(index.word(0, 0) & (1 << member), 0);
