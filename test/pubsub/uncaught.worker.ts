/** A member whose first record causes an uncaught exception. Reports the exception and the next record. */
import { parentPort, workerData } from "node:worker_threads";
import { makeExchange, makeMember, send } from "../support/exchange.ts";
import type { ExchangeShared } from "../support/exchange.ts";

const shared = workerData as ExchangeShared;
const sender = makeMember(shared, 0);
const { exchange } = makeExchange(shared, 1);
const seen: string[] = [];
process.once("uncaughtException", (error) => seen.push(String(error)));

send(sender, 1, 0, "bad");
send(sender, 1, 0, "good");
exchange.start({
  onRecord: (_from, _type, bytes, offset, length) => {
    const text = Buffer.from(bytes.subarray(offset, offset + length)).toString();
    if (text === "bad") throw new Error(text);
    parentPort?.postMessage([...seen, text]);
  },
  onLapped: () => undefined,
  onError: (error) => {
    throw error;
  },
});
