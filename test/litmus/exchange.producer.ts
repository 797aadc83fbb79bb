/**
 * The producer of exchange.test.ts: sends one burst for each order, then sleeps until the next order
 * arrives through the exchange.
 */
import assert from "node:assert/strict";
import { parentPort, workerData } from "node:worker_threads";
import { makeExchange } from "../support/exchange.ts";
import type { ExchangeShared } from "../support/exchange.ts";
import { makeRandom } from "../support/litmus.ts";

const shared = workerData as ExchangeShared;
const { exchange } = makeExchange(shared, 1);
const record = new Uint8Array(400);
const words = new Int32Array(record.buffer);
const random = makeRandom(5);
let sequence = 0;

exchange.start({
  onRecord: () => {
    for (let left = 1 + random(60); left > 0; left -= 1) {
      sequence += 1;
      words.fill(sequence);
      // The second word says how many records follow.
      words[1] = left - 1;
      const length = random(8) === 0 ? 8 + random(98) * 4 : 8 + random(4) * 4;
      assert.equal(exchange.send(0, 0, 1, record, length), true);
    }
  },
  onLapped: () => assert.fail("lapped"),
  onError: (error) => {
    throw error;
  },
});
parentPort?.once("message", () => exchange.stop());
