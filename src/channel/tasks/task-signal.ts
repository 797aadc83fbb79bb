/**
 * Tasks that end when a signal is aborted. Signals do not cross threads: the task is cancelled by
 * its number.
 *
 * Runs on: shard.
 * Owns: its listener on the signal, which outlives neither the task nor whoever waits for it.
 */

import type { Task, TaskOptions, Tasks } from "./tasks.ts";

/** Runs a task, and minds the signal of its options where there is one. */
export function runTask(tasks: Tasks, name: string, input: unknown, options: TaskOptions): Task {
  const { signal } = options;
  if (!signal) return tasks.run(name, input, options);
  if (signal.aborted) return { result: Promise.reject(reasonOf(signal)), cancel: ignore };
  return withSignal(tasks.run(name, input, options), signal);
}

function withSignal(task: Task, signal: AbortSignal): Task {
  let onAbort: () => void = ignore;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      task.cancel();
      reject(reasonOf(signal));
    };
  });
  const forget = (): void => signal.removeEventListener("abort", onAbort);
  signal.addEventListener("abort", onAbort, { once: true });
  const result = Promise.race([task.result, aborted]).finally(forget);
  return {
    result,
    cancel() {
      forget();
      task.cancel();
    },
  };
}

function reasonOf(signal: AbortSignal): Error {
  // As it was given, whatever it is: who aborts knows what to look for.
  return signal.reason as Error;
}

function ignore(): void {}
