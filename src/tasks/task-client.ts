/**
 * Gives the tasks of a shard's channels to main, whose pool runs them.
 *
 * Runs on: shard.
 * Owns: the numbers of its tasks, by which main answers.
 */

import type { HandedOver } from "../channel/tasks/handed-over.ts";
import type { Task, TaskOptions, Tasks } from "../channel/tasks/tasks.ts";
import { makeError } from "../errors.ts";
import type { TaskAnswer, TaskMessage } from "./task-messages.ts";
import { errorOf } from "../error-report.ts";
import { inputError, noTasksError } from "./task-errors.ts";

/** Sends to main. */
export type TellTask = (message: TaskMessage, transfer?: readonly HandedOver[]) => void;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The tasks of a shard that are not done. */
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

  run(name: string, input: unknown, { transfer = [] }: TaskOptions): Task {
    const id = this.#nextId;
    this.#nextId += 1;
    const result = new Promise<unknown>((resolve, reject) => {
      this.#give(id, name, input, transfer);
      this.#waiting.set(id, { resolve, reject });
    });
    return { result, cancel: () => this.#cancel(id) };
  }

  /** Takes an answer of main. One that nobody waits for any more is ignored. */
  settle(answer: TaskAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.kind === "taskDone") waiting?.resolve(answer.result);
    else waiting?.reject(errorOf(answer.error));
  }

  /** Takes no more tasks, and waits for none. */
  close(): void {
    this.#isClosed = true;
    const left = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of left) reject(closedError());
  }

  #give(id: number, name: string, input: unknown, transfer: readonly HandedOver[]): void {
    if (this.#isClosed) throw closedError();
    const module = this.#module;
    if (module === undefined) throw noTasksError(name);
    try {
      this.#tell({ kind: "task", id, module, name, input, transfer }, transfer);
    } catch (cause) {
      throw inputError(name, cause);
    }
  }

  #cancel(id: number): void {
    if (this.#waiting.delete(id)) this.#tell({ kind: "taskCancel", id });
  }
}

function closedError(): Error {
  return makeError("SIM_ERR_SERVER_CLOSED", "shard must be open to run a task, got closed");
}
