/** The producer of lapped.test.ts: records numbered within their slot, faster than they are read. */
import { setImmediate } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { readCounters } from "../../src/memory/counters.ts";
import { makeExchange } from "../support/exchange.ts";
import type { ExchangeShared } from "../support/exchange.ts";
import { makeRandom, pause } from "../support/litmus.ts";

const { shared, records, slots } = workerData as {
  shared: ExchangeShared;
  records: number;
  slots: number;
};
const { exchange } = makeExchange(shared, 1);
const record = new Uint8Array(200);
const words = new Int32Array(record.buffer);
const sent = new Int32Array(slots);
const random = makeRandom(9);
const fail = (): never => {
  throw new Error("nothing is sent to the producer");
};

exchange.start({ onRecord: fail, onLapped: fail, onError: fail });
for (let count = 0; count < records; count += 1) {
  const slot = random(slots);
  const number = (sent[slot] as number) + 1;
  sent[slot] = number;
  words[0] = slot;
  words[1] = number;
  exchange.send(0, slot, 1, record, random(6) === 0 ? 8 + random(190) : 8);
  if (random(64) === 0) await setImmediate();
  pause(random);
}
const { lapped } = readCounters(shared.counters, 1);
parentPort?.postMessage({ sent, lapped });
parentPort?.once("message", () => exchange.stop());
