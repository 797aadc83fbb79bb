/**
 * The thread that notes callbacks for `running.test`.
 *
 * Runs on: a worker of the test, which also imports `callbackOf`.
 */
import { isMainThread, workerData } from "node:worker_threads";

import { RunningNote, type RunningCallback } from "../../src/memory/running.ts";

/** Returns the callback of a round: topics and events of several lengths, in changing pairs. */
export function callbackOf(round: number): RunningCallback {
  return {
    topic: "room:1234567890".slice(0, round % 13),
    event: "new_message".slice(0, round % 7),
  };
}

if (!isMainThread) {
  const { shared, steps, rounds } = workerData as {
    readonly shared: SharedArrayBuffer;
    readonly steps: Int32Array;
    readonly rounds: number;
  };
  const note = new RunningNote(shared, 0);
  for (let round = 1; round <= rounds; round += 1) {
    // Callbacks that begin and end on the way to the one in which the thread stands still.
    for (let at = 0; at < 3; at += 1) {
      const { topic, event } = callbackOf(round * 31 + at);
      note.write(topic, event);
      note.clear();
    }
    const { topic, event } = callbackOf(round);
    note.write(topic, event);
    Atomics.store(steps, 0, round);
    Atomics.wait(steps, 1, round - 1);
    note.clear();
  }
}
