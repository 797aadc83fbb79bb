/**
 * Ends test files that do not end, for example because a test has left a connection open.
 *
 * Runs on: the runner's process.
 *
 * Node's runner has a time limit too, but from version 24 on it is that of each test and no longer that of a file. What a
 * killed file had started, such as a database, is not ended.
 */

import type { ChildProcess } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";

/** Processes that this one starts; each file is one of them. */
const STARTED = "child_process";

/**
 * Kills each child process that runs for too long.
 *
 * @param onKilled - called with the last argument of the process, which is a file for those of the runner
 * @returns a function that kills no more
 */
export function killLate(limitMs: number, onKilled: (file: string) => void): () => void {
  const watch = (message: unknown): void => {
    const { process: child } = message as { readonly process: ChildProcess };
    const timer = setTimeout(() => {
      onKilled(child.spawnargs.at(-1) ?? "");
      child.kill("SIGKILL");
    }, limitMs);
    child.once("exit", () => clearTimeout(timer));
  };
  subscribe(STARTED, watch);
  return () => void unsubscribe(STARTED, watch);
}
