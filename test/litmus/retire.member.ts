/**
 * The member of retire.test.ts that is replaced: on each order it ends, or starts again under the same
 * number, as a new thread would.
 */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { readCounters } from "../../src/memory/counters.ts";
import { makeExchange } from "../support/exchange.ts";
import type { ExchangeShared } from "../support/exchange.ts";
import { RetireTalk } from "../support/retire.ts";

const shared = workerData as ExchangeShared;
let order = "";
assert.ok(parentPort);
const port = parentPort;
port.on("message", (message: string) => {
  order = message;
});

for (let round = 0; order !== "end"; round += 1) {
  const { exchange } = makeExchange(shared, 2);
  const talk = new RetireTalk(exchange, 2, round);
  exchange.start(talk);
  order = "begin";
  while (order === "begin") {
    talk.say(0);
    talk.say(1);
    await setImmediate();
    if (talk.heardFrom(0) && talk.heardFrom(1)) talk.tellOnce(() => port.postMessage("talked"));
  }
  exchange.stop();
  port.postMessage("ended");
  while (order === "stop") await setImmediate();
}
const { droppedStale } = readCounters(shared.counters, 2);
port.postMessage(droppedStale);
port.close();
