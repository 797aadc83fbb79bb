/**
 * The peer of retire.test.ts: writes to the member that is replaced, and forgets it when told to. Each
 * record contains the number of replacements that its writer knows of.
 */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { makeExchange } from "../support/exchange.ts";
import type { ExchangeShared } from "../support/exchange.ts";
import { RetireTalk } from "../support/retire.ts";

const shared = workerData as ExchangeShared;
const { exchange } = makeExchange(shared, 1);
const talk = new RetireTalk(exchange, 1);
let isOver = false;

assert.ok(parentPort);
const port = parentPort;
port.on("message", (order: "retire" | "end") => {
  if (order === "retire") {
    talk.retire();
    port.postMessage("forgotten");
  } else {
    isOver = true;
    exchange.stop();
    port.close();
  }
});
exchange.start(talk);
while (!isOver) {
  talk.say(2);
  await setImmediate();
}
