/**
 * Messages about tasks between a shard, main and a thread of the task pool.
 *
 *   shard                         main                      thread of the pool
 *     |-- TaskRequest -------------->|                             |
 *     |                              |-- TaskCall --------------->|
 *     |                              |<----------- TaskOutcome ---|
 *     |<--------------- TaskAnswer --|
 *
 * Runs on: shards, main, threads of the task pool. Types only.
 */

import type { HandedOver } from "../channel/tasks/tasks.ts";
import type { ErrorReport } from "../error-report.ts";

export type { HandedOver } from "../channel/tasks/tasks.ts";

/** Main's answer to a shard: the result of a task, or the error that it failed with. */
export type TaskAnswer =
  | {
      readonly kind: "taskDone";
      readonly id: number;
      readonly result: unknown;
      readonly transfer: readonly HandedOver[];
    }
  | { readonly kind: "taskFailed"; readonly id: number; readonly error: ErrorReport };

/** The task to call, and its input. */
export interface TaskTarget {
  /** URL of the tasks module. */
  readonly module: string;
  /** Name of the function in the module. */
  readonly name: string;
  readonly input: unknown;
}

/** A task as sent to a thread of the pool. */
export interface TaskCall extends TaskTarget {
  /** Memory of a TaskFlag. */
  readonly flag: SharedArrayBuffer;
}

/**
 * The value that a thread of the pool returns. Errors are sent as reports, because a structured
 * clone would lose their codes.
 */
export type TaskOutcome =
  | {
      readonly kind: "done";
      readonly result: unknown;
      /** Parts of the result that are transferred, not copied, on the way to the shard. */
      readonly transfer: readonly HandedOver[];
    }
  | { readonly kind: "failed"; readonly error: ErrorReport };

/** A shard's request to main to run a task. */
export interface TaskRequest extends TaskTarget {
  readonly kind: "task";
  /** The shard's id for the task. */
  readonly id: number;
  /** Parts of the input that are transferred, not copied, on the way to the pool. */
  readonly transfer: readonly HandedOver[];
}

/** A shard's message to main, which requests or cancels a task. */
export type TaskMessage = TaskRequest | { readonly kind: "taskCancel"; readonly id: number };
