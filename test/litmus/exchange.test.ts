/**
 * A producer sends a burst, including large records, into the smallest ring and sleeps; most of the
 * burst waits in its queue. The consumer orders the next burst when it has received the last record
 * of this one. Both threads sleep whenever they have no work.
 *
 *   every record, whole, in order, to the last of each burst   allowed
 *   a burst whose end does not arrive; a gap; mixed words       forbidden
 *
 * Seen to fail with: the producer falling asleep without checking the head again; no press when room
 * is wanted; the consumer falling asleep without checking its rings again; a record overtaking the
 * queue.
 */
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { it } from "node:test";
import { within } from "../support/deadline.ts";
import { makeExchange, makeExchangeShared } from "../support/exchange.ts";
import { LOST_AFTER_MS, litmusRounds, startWorker } from "../support/litmus.ts";

const ROUNDS = litmusRounds(100);

it("delivers the last record of a burst into a full ring that is followed by silence", async (test) => {
  const shared = makeExchangeShared({ members: 2, startPosition: 0x7fff_ff00 });
  const { exchange } = makeExchange(shared, 0);
  const url = new URL("./exchange.producer.js", import.meta.url);
  const producer = startWorker(test, url, shared);
  const ended = producer.exited("the end of the producer");
  const bursts = new EventEmitter();
  let sequence = 0;

  exchange.start({
    onRecord: (_from, _type, bytes, offset, length) => {
      sequence += 1;
      const view = new DataView(bytes.buffer, bytes.byteOffset + offset, length);
      for (let at = 0; at < length; at += 4) {
        if (at !== 4 && view.getInt32(at, true) !== sequence) {
          assert.fail(`word ${at} of ${sequence} is ${view.getInt32(at, true)}`);
        }
      }
      if (view.getInt32(4, true) === 0) bursts.emit("last");
    },
    onLapped: () => assert.fail("lapped"),
    onError: (error) => bursts.emit("error", error),
  });
  const order = new Uint8Array(0);
  for (let round = 1; round <= ROUNDS; round += 1) {
    const last = once(bursts, "last");
    exchange.send(1, 0, 1, order, 0);
    const all = Promise.race([last, ended]);
    await within(all, `the last record of burst ${round}`, LOST_AFTER_MS);
  }
  producer.worker.postMessage("stop");
  exchange.stop();
  await ended;
});
