/**
 * Ends the thread that keeps histories when its process gets SIGUSR2. Loaded before the server by `--import`.
 *
 * Runs on: every thread of the server under test; does something on main only.
 */

import { syncBuiltinESMExports } from "node:module";
import workerThreads, { isMainThread, Worker, type WorkerOptions } from "node:worker_threads";

const keepers: Worker[] = [];

/** A worker that is remembered if it is a keeper. */
class NotedWorker extends Worker {
  constructor(entry: string | URL, options?: WorkerOptions) {
    super(entry, options);
    if (String(entry).endsWith("/keeper-entry.js")) keepers.push(this);
  }
}

if (isMainThread) {
  Reflect.set(workerThreads, "Worker", NotedWorker);
  syncBuiltinESMExports();
  process.on("SIGUSR2", () => {
    for (const keeper of keepers.splice(0)) void keeper.terminate();
  });
}
