/** Shared parts of the litmus tests: how long they run, random pauses, and workers that report. */
import { once } from "node:events";
import type { TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { within } from "./deadline.ts";

const LITMUS_ROUNDS = Number(process.env["LITMUS_ROUNDS"] ?? 200_000);

/** How long a wake may take before it counts as lost. Generous, because test machines may be slow. */
export const LOST_AFTER_MS = 20_000;

/** Returns the rounds of a test, given the cost of a round as a multiple of a ring's write and read. */
export function litmusRounds(cost: number): number {
  return Math.ceil(LITMUS_ROUNDS / cost);
}

/** Returns how long a test may take in total; generous for its number of rounds. */
export function litmusDeadlineMs(): number {
  return 60_000 + LITMUS_ROUNDS / 5;
}

/** Makes a generator of numbers below a limit, reproducible for a seed. */
export function makeRandom(seed: number): (limit: number) => number {
  let state = (seed * 2_654_435_761) | 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

const parking = new Int32Array(new SharedArrayBuffer(4));

/** Lets some time pass: usually none, sometimes a moment, rarely the thread's time slice. */
export function pause(random: (limit: number) => number): void {
  const dice = random(4_096);
  if (dice === 0) Atomics.wait(parking, 0, 0, 0.05);
  else if (dice < 512)
    for (let turns = random(400); turns > 0; turns -= 1) Atomics.load(parking, 0);
}

/** A worker of a litmus test. Its errors fail the test that waits for it. */
export interface LitmusWorker {
  readonly worker: Worker;
  /** Waits for the worker's next message. */
  message(what: string): Promise<unknown>;
  /** Waits until the worker ends by itself. */
  exited(what: string): Promise<void>;
}

/**
 * Starts a worker that is terminated at the end of the test.
 *
 * @param url - of the compiled file
 */
export function startWorker(test: TestContext, url: URL, workerData: object): LitmusWorker {
  const worker = new Worker(url, { workerData });
  test.after(async () => worker.terminate());
  const exit = once(worker, "exit");
  const failed = new Promise<never>((_resolve, reject) => {
    worker.once("error", reject);
  });
  failed.catch(() => undefined);
  const silent = exit.then((): never => {
    throw new Error("the worker ended without a message");
  });
  silent.catch(() => undefined);
  return {
    worker,
    message: async (what) => {
      const arrived = once(worker, "message");
      const [message] = await within(
        Promise.race([arrived, failed, silent]),
        what,
        litmusDeadlineMs(),
      );
      return message as unknown;
    },
    exited: async (what) => {
      await within(Promise.race([exit, failed]), what, litmusDeadlineMs());
    },
  };
}
