/** Another side of flood.test.ts. */
import { parentPort, workerData } from "node:worker_threads";
import { flood } from "../support/flood.ts";
import type { FloodSide } from "../support/flood.ts";

// Keeps the thread alive, which a sleeping member does not.
parentPort?.on("message", () => undefined);
await flood(workerData as FloodSide);
parentPort?.close();
