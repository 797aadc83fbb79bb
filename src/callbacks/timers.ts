/**
 * Messages that a channel or a raw socket gives itself after a time.
 *
 * Runs on: the shard that owns the connection. The end of whose they are clears the timers.
 */

import { makeError } from "../errors.ts";

/** Whose timers they are. */
export interface TimerOwner {
  /** Made when a first one is set. */
  timers: Set<NodeJS.Timeout> | undefined;
  /** True once nothing of it is left. */
  readonly isOver: boolean;
}

/** Longest delay of a timer: one that is longer would fire at once. */
const MAX_DELAY_MS = 2_147_483_647;

/**
 * Calls a function after a time, unless the owner has ended by then.
 *
 * @returns a function that cancels it
 * @throws SIM_ERR_OPTION_INVALID for a delay that no timer has
 */
export function callLater(owner: TimerOwner, delayMs: number, call: () => void): () => void {
  checkDelay(delayMs);
  if (owner.isOver) return () => {};
  const timers = (owner.timers ??= new Set());
  const timer = setTimeout(() => {
    timers.delete(timer);
    call();
  }, delayMs);
  timers.add(timer);
  return () => {
    clearTimeout(timer);
    timers.delete(timer);
  };
}

function checkDelay(delayMs: number): void {
  if (typeof delayMs === "number" && delayMs >= 0 && delayMs <= MAX_DELAY_MS) return;
  throw makeError(
    "SIM_ERR_OPTION_INVALID",
    `delayMs must be a number from 0 to ${MAX_DELAY_MS} (ms), got ${String(delayMs)}`,
  );
}
