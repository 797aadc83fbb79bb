/**
 * The tasks of one shard: sends them to main, whose pool runs them, and settles their promises.
 *
 * Runs on: shard.
 * Owns: the ids of the shard's tasks, and the listeners on their abort signals.
 */

import type { HandedOver, Task, TaskOptions, Tasks } from "../channel/tasks/tasks.ts";
import { errorOf } from "../error-report.ts";
import { makeError } from "../errors.ts";
import type { TaskAnswer, TaskMessage } from "./task-messages.ts";

/** Sends a message to main. Throws if the message cannot be cloned. */
export type TellTask = (message: TaskMessage, transfer?: readonly HandedOver[]) => void;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
  /** Removes the listener from the task's signal. */
  readonly forgetSignal: () => void;
}

/** The unfinished tasks of a shard. */
export class TaskClient implements Tasks {
  readonly #module: string | undefined;
  readonly #tell: TellTask;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #isClosed = false;

  /** @param module - URL of the endpoint's tasks module */
  constructor(module: string | undefined, tell: TellTask) {
    this.#module = module;
    this.#tell = tell;
  }

  run(name: string, input: unknown, { transfer = [], signal }: TaskOptions): Task {
    if (signal?.aborted) return { result: Promise.reject(reasonOf(signal)), cancel: ignore };
    const id = this.#nextId;
    this.#nextId += 1;
    const result = new Promise<unknown>((resolve, reject) => {
      this.#send(id, name, input, transfer);
      this.#waiting.set(id, { resolve, reject, forgetSignal: this.#listen(id, signal) });
    });
    return { result, cancel: () => void this.#cancel(id) };
  }

  /** Settles the task that main's answer belongs to, unless the task was cancelled. */
  settle(answer: TaskAnswer): void {
    const waiting = this.#take(answer.id);
    if (answer.kind === "taskDone") waiting?.resolve(answer.result);
    else waiting?.reject(errorOf(answer.error));
  }

  /** Rejects all unfinished tasks and all later ones. */
  close(): void {
    this.#isClosed = true;
    for (const id of this.#waiting.keys()) this.#take(id)?.reject(closedError());
  }

  #send(id: number, name: string, input: unknown, transfer: readonly HandedOver[]): void {
    if (this.#isClosed) throw closedError();
    const module = this.#module;
    if (module === undefined) {
      const message = `endpoint must have a tasks module to run task ${JSON.stringify(name)}, got none`;
      throw makeError("SIM_ERR_TASKS", message);
    }
    try {
      this.#tell({ kind: "task", id, module, name, input, transfer }, transfer);
    } catch (cause) {
      const message = `input of task ${JSON.stringify(name)} must survive a structured clone`;
      throw makeError("SIM_ERR_TASKS", message, { cause });
    }
  }

  /** Cancels the task by its id when the signal is aborted, since signals cannot cross threads. */
  #listen(id: number, signal: AbortSignal | undefined): () => void {
    if (!signal) return ignore;
    const onAbort = (): void => this.#cancel(id)?.reject(reasonOf(signal));
    signal.addEventListener("abort", onAbort, { once: true });
    return () => signal.removeEventListener("abort", onAbort);
  }

  #cancel(id: number): Waiting | undefined {
    const waiting = this.#take(id);
    if (waiting) this.#tell({ kind: "taskCancel", id });
    return waiting;
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.forgetSignal();
    return waiting;
  }
}

/** Returns a signal's reason unchanged, because the caller that aborts expects it. */
function reasonOf(signal: AbortSignal): Error {
  return signal.reason as Error;
}

function ignore(): void {}

function closedError(): Error {
  return makeError("SIM_ERR_SERVER_CLOSED", "shard must be open to run a task, got closed");
}
