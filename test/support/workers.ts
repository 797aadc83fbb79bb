/**
 * The worker threads that a server starts, for tests that end them or speak to them as main does.
 *
 * Runs on: the main thread of the tests, which is also the server's main thread.
 */

import { Worker } from "node:worker_threads";

/** Calls a function with each worker thread that is started from now on. @returns a function that stops this */
export function onWorker(started: (worker: Worker) => void): () => void {
  const on = Reflect.get(Worker.prototype, "on") as (...given: unknown[]) => Worker;
  Reflect.set(Worker.prototype, "on", function noted(this: Worker, ...given: unknown[]): Worker {
    started(this);
    return on.apply(this, given);
  });
  return () => void Reflect.set(Worker.prototype, "on", on);
}
