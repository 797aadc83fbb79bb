/**
 * Definition of an app's tasks: functions by name, and the types that channels take from them.
 *
 * A channel sees only the type (`import type tasks from "./tasks.ts"`, then `typeof tasks`). The
 * module itself is loaded by the threads of the pool.
 *
 * Runs on: a thread of the task pool, which loads the tasks module.
 */

import { checkFunction } from "../../definition-checks.ts";
import type { HandedOver, TaskOptions } from "./tasks.ts";

/** Second argument of a task's function. */
export interface TaskContext {
  /**
   * Aborted, with the reason, when nobody is waiting for the result any more. A task that has read
   * `signal` or `isCancelled` then has one second to end, any other task 200 ms. After that its
   * thread is terminated.
   */
  readonly signal: AbortSignal;
  /**
   * The same as a flag, for loops without `await`, in which the signal cannot fire. Costs one
   * atomic load.
   */
  readonly isCancelled: boolean;
  /**
   * Transfers parts of the result instead of copying them, as in `return transfer(bytes,
   * [bytes.buffer])`.
   *
   * @returns `result`, unchanged
   */
  readonly transfer: <Result>(result: Result, list: readonly HandedOver[]) => Result;
}

/** A task. Called on a thread of the pool with a structured clone of its input. */
export type TaskFunction = (input: never, context: TaskContext) => unknown;

/** Tasks by name. */
export type TaskFunctions = Readonly<Record<string, TaskFunction>>;

/** Return value of `defineTasks`: the default export of a tasks module. */
export interface TasksDefinition<Functions = TaskFunctions> {
  readonly functions: Functions;
}

/** Names of a module's tasks. */
export type TaskName<Definition> =
  Definition extends TasksDefinition<infer Functions> ? keyof Functions & string : string;

/** Input of a task; undefined if it takes none. */
export type TaskInput<Definition, Name> =
  Definition extends TasksDefinition<infer Functions>
    ? Functions[Name & keyof Functions] extends (...given: infer Given) => unknown
      ? Given extends readonly []
        ? undefined
        : Given[0]
      : unknown
    : unknown;

/** Result of a task, awaited. */
export type TaskResult<Definition, Name> =
  Definition extends TasksDefinition<infer Functions>
    ? Functions[Name & keyof Functions] extends (...given: never) => infer Result
      ? Awaited<Result>
      : unknown
    : unknown;

/** Arguments after the name in `socket.task(name, …)`. The input is optional if it may be undefined. */
export type TaskArguments<Definition, Name> =
  undefined extends TaskInput<Definition, Name>
    ? [input?: TaskInput<Definition, Name>, options?: TaskOptions]
    : [input: TaskInput<Definition, Name>, options?: TaskOptions];

const KIND = Symbol.for("simurgh.tasks");

/**
 * Defines tasks. Only these can be run by name, whatever else the module exports.
 *
 * ```ts
 * export default defineTasks({
 *   hash: ({ password, salt }: { password: string; salt: string }) => scryptSync(password, salt, 64),
 * });
 * ```
 *
 * @throws SIM_ERR_DEFINITION_INVALID if a value is not a function
 */
export function defineTasks<const Functions extends TaskFunctions>(
  functions: Functions,
): TasksDefinition<Functions> {
  for (const [name, task] of Object.entries(functions)) {
    checkFunction(`task ${JSON.stringify(name)}`, task);
  }
  const definition = { functions, [KIND]: true };
  return definition;
}

/** Reports whether a value was created by `defineTasks`, even in another copy of this package. */
export function isTasks(value: unknown): value is TasksDefinition {
  return typeof value === "object" && value !== null && KIND in value;
}
