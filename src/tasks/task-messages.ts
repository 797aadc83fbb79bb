/**
 * What a shard, main and a thread of the task pool tell each other about tasks.
 *
 *   shard                         main                      thread of the pool
 *     |-- TaskRequest -------------->|                             |
 *     |                              |-- TaskCall --------------->|
 *     |                              |<----------- TaskOutcome ---|
 *     |<--------------- TaskAnswer --|
 *
 * Runs on: shards, main, threads of the task pool. Types only.
 */

import type { HandedOver } from "../channel/tasks/handed-over.ts";
import type { ErrorReport } from "../error-report.ts";

export type { HandedOver } from "../channel/tasks/handed-over.ts";

/** From main: what became of a task of the shard. */
export type TaskAnswer =
  | {
      readonly kind: "taskDone";
      readonly id: number;
      readonly result: unknown;
      readonly transfer: readonly HandedOver[];
    }
  | { readonly kind: "taskFailed"; readonly id: number; readonly error: ErrorReport };

/** A task as it is called. */
export interface TaskTarget {
  /** URL of the tasks module. */
  readonly module: string;
  /** Of the function there. */
  readonly name: string;
  readonly input: unknown;
}

/** A task as a thread of the pool gets it. */
export interface TaskCall extends TaskTarget {
  /** Memory of a TaskFlag. */
  readonly flag: SharedArrayBuffer;
}

/** What a thread of the pool says of a task. Errors cross as reports: a clone would lose their codes. */
export type TaskOutcome =
  | {
      readonly kind: "done";
      readonly result: unknown;
      /** Parts of the result that are handed over, not copied, on the next way too. */
      readonly transfer: readonly HandedOver[];
    }
  | { readonly kind: "failed"; readonly error: ErrorReport };

/** To main: a task of the shard. */
export interface TaskRequest extends TaskTarget {
  readonly kind: "task";
  /** The shard's number for it. */
  readonly id: number;
  /** Parts of the input that are handed over, not copied, on the next way too. */
  readonly transfer: readonly HandedOver[];
}

/** To main: a task of the shard, or the end of one. */
export type TaskMessage = TaskRequest | { readonly kind: "taskCancel"; readonly id: number };
