/**
 * Runs tasks on the calling thread, for tests of channels, which have no task pool.
 *
 * The class uses a TaskClient and handles its messages on the same thread. As between threads,
 * inputs and results are cloned, and errors are converted to reports.
 *
 * Runs on: the thread of a test.
 */

import type { HandedOver, Task, TaskOptions, Tasks } from "../channel/tasks/tasks.ts";
import { reportOf } from "../error-report.ts";
import { makeTaskFlagMemory, TaskFlag } from "../memory/task-flag.ts";
import { TaskClient } from "./task-client.ts";
import type { TaskAnswer, TaskMessage, TaskRequest } from "./task-messages.ts";
import { callTask, resultError, type TaskReturn } from "./task-run.ts";

/** Runs tasks without threads. */
export class InlineTasks implements Tasks {
  readonly #client: TaskClient;
  readonly #running = new Map<number, TaskFlag>();

  /** @param module - URL of the endpoint's tasks module */
  constructor(module: string | undefined) {
    this.#client = new TaskClient(module, (message, transfer) => this.#take(message, transfer));
  }

  run(name: string, input: unknown, options: TaskOptions): Task {
    return this.#client.run(name, input, options);
  }

  #take(message: TaskMessage, transfer: readonly HandedOver[] = []): void {
    if (message.kind === "task") void this.#run(cloneOf(message, transfer));
    else this.#running.get(message.id)?.cancel();
  }

  async #run(request: TaskRequest): Promise<void> {
    const { id } = request;
    const flag = new TaskFlag(makeTaskFlagMemory());
    this.#running.set(id, flag);
    const answer = await answerTo(request, flag);
    this.#running.delete(id);
    this.#client.settle(answer);
  }
}

async function answerTo(request: TaskRequest, flag: TaskFlag): Promise<TaskAnswer> {
  const { id } = request;
  try {
    const returned = await callTask(request, flag);
    return { kind: "taskDone", id, result: clonedResult(returned), transfer: [] };
  } catch (error) {
    return { kind: "taskFailed", id, error: reportOf(error) };
  }
}

function clonedResult({ result, transfer }: TaskReturn): unknown {
  try {
    return cloneOf(result, transfer);
  } catch (error) {
    throw error instanceof DOMException ? resultError(error) : error;
  }
}

function cloneOf<Value>(value: Value, transfer: readonly HandedOver[]): Value {
  // Node.js can transfer more types of objects than the web's type declarations allow.
  return structuredClone(value, { transfer: [...transfer] as never });
}
