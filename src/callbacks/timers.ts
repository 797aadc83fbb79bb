/**
 * Messages that a channel or a raw socket sends to itself after a delay.
 *
 * Runs on: the shard that owns the connection. Timers end with their owner.
 */

import { invalidOption } from "../definition-checks.ts";

/** A channel or a raw socket. */
export interface TimerOwner {
  /** Created when the first timer is set. */
  timers: Set<NodeJS.Timeout> | undefined;
  /** True once the owner has ended. */
  readonly isOver: boolean;
}

/** Maximum delay of a timer; Node.js fires timers with longer delays at once. */
const MAX_DELAY_MS = 2_147_483_647;

/**
 * Calls a function after a delay, unless the owner has ended by then.
 *
 * @returns a function that cancels the timer
 * @throws SIM_ERR_OPTION_INVALID if the delay is out of range
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

/** Cancels all timers of an owner that is ending. */
export function clearTimers(owner: TimerOwner): void {
  for (const timer of owner.timers ?? []) clearTimeout(timer);
  owner.timers = undefined;
}

function checkDelay(delayMs: number): void {
  if (typeof delayMs === "number" && delayMs >= 0 && delayMs <= MAX_DELAY_MS) return;
  throw invalidOption(
    `delayMs must be a number from 0 to ${MAX_DELAY_MS} (ms), got ${String(delayMs)}`,
  );
}
