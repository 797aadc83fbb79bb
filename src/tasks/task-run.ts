/**
 * One run of a task: what its function is given beside the input.
 *
 * Runs on: a thread of the task pool.
 * Owns: the signal, which is made when the task first asks for it.
 */

import type { HandedOver } from "../channel/tasks/handed-over.ts";
import type { TaskContext } from "../channel/tasks/task-types.ts";
import type { TaskFlag } from "../memory/task-flag.ts";

/** The context of one run, and what came of it. */
export class TaskRun {
  readonly #flag: TaskFlag;
  #abort: AbortController | undefined;
  /** What of the result is handed over. */
  handedOver: readonly HandedOver[] = [];
  // An object of its own, so that a task may take it apart: `(input, { transfer }) => …`.
  readonly context: TaskContext;

  constructor(flag: TaskFlag) {
    this.#flag = flag;
    const signal = (): AbortSignal => this.#signal();
    this.context = {
      get signal() {
        return signal();
      },
      get isCancelled() {
        return flag.isCancelled();
      },
      transfer: (result, list) => {
        this.handedOver = [...list];
        return result;
      },
    };
  }

  /** Lets go of the signal. */
  end(): void {
    if (this.#abort) this.#flag.end();
  }

  #signal(): AbortSignal {
    if (!this.#abort) {
      const abort = new AbortController();
      this.#abort = abort;
      if (this.#flag.isCancelled()) abort.abort();
      else void this.#flag.changed().then(() => this.#flag.isCancelled() && abort.abort());
    }
    return this.#abort.signal;
  }
}
