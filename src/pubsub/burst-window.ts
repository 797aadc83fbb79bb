/**
 * The rest of a turn of the loop in which many broadcasts came: what is held leaves at its end.
 *
 * The engine keeps 32 messages for each subscriber. What comes after them makes room by sending, and
 * within the callback of another socket, whose answers it gathers, each of the 32 by a system call of
 * its own. So where many come in one turn, they wait for its end, when it gathers for each subscriber.
 * Few broadcasts leave at once, and cost a number: only each sixteenth has the turn's end waited for.
 *
 * Runs on: shard; one for each, where there is no coalescing window.
 */

import type { HoldingWindow } from "./holding-window.ts";

/** Broadcasts that leave at once before one opens the window: half of what the engine keeps. */
export const BURST = 16;

/** A shard's window where none is asked for. Open while something is held. */
export class BurstWindow implements HoldingWindow {
  readonly #tasks: (() => void)[] = [];
  readonly #onTurn = (): void => this.end();
  #immediate: NodeJS.Immediate | undefined;
  /** Broadcasts since it was open; those of some turns. */
  #count = 0;

  onEnd(task: () => void): void {
    this.#tasks.push(task);
  }

  takes(): boolean {
    if (this.#immediate !== undefined) return true;
    this.#count += 1;
    return this.#count > BURST;
  }

  open(): void {
    this.#immediate ??= setImmediate(this.#onTurn);
  }

  end(): void {
    if (this.#immediate === undefined) return;
    clearImmediate(this.#immediate);
    this.#immediate = undefined;
    this.#count = 0;
    for (const task of this.#tasks) task();
  }
}
