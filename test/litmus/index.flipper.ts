/** The other member of index.test.ts, which flips its own bit. */
import { parentPort, workerData } from "node:worker_threads";
import { flip } from "../support/flip.ts";

const { shared, member, rounds } = workerData as {
  shared: SharedArrayBuffer;
  member: number;
  rounds: number;
};
parentPort?.postMessage("ready");
flip(shared, member, rounds);
