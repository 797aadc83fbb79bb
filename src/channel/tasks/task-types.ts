/**
 * What a module of tasks is, and what its names, inputs and results are by its type.
 *
 * A channel sees the type alone (`import type tasks from "./tasks.ts"`, then `typeof tasks`): the
 * module itself is loaded by the threads of the pool.
 *
 * Runs on: any thread. Types only.
 */

import type { HandedOver } from "./handed-over.ts";
import type { TaskOptions } from "./tasks.ts";

/** What a task's function is given beside its input. */
export interface TaskContext {
  /**
   * Aborted when nobody wants the result any more, with the reason of it. A task that has looked at
   * it, or at `isCancelled`, is given a second to end, any other 200 ms; then its thread is ended.
   */
  readonly signal: AbortSignal;
  /** The same, for a loop that awaits nothing, where no signal can arrive: one atomic load. */
  readonly isCancelled: boolean;
  /**
   * Has parts of the result handed over instead of copied, as in `return transfer(bytes, [bytes.buffer])`.
   *
   * @returns the result that it was given
   */
  readonly transfer: <Result>(result: Result, list: readonly HandedOver[]) => Result;
}

/** A task: called on a thread of the pool with what survived a structured clone. */
export type TaskFunction = (input: never, context: TaskContext) => unknown;

/** Tasks by their names. */
export type TaskFunctions = Readonly<Record<string, TaskFunction>>;

/** What `defineTasks` gives: the default export of a tasks module. */
export interface TasksDefinition<Functions = TaskFunctions> {
  readonly functions: Functions;
}

/** Names of a module's tasks. */
export type TaskName<Definition> =
  Definition extends TasksDefinition<infer Functions> ? keyof Functions & string : string;

/** What a task takes; undefined where it takes nothing. */
export type TaskInput<Definition, Name> =
  Definition extends TasksDefinition<infer Functions>
    ? Functions[Name & keyof Functions] extends (...given: infer Given) => unknown
      ? Given extends readonly []
        ? undefined
        : Given[0]
      : unknown
    : unknown;

/** What a task gives, once it is there. */
export type TaskResult<Definition, Name> =
  Definition extends TasksDefinition<infer Functions>
    ? Functions[Name & keyof Functions] extends (...given: never) => infer Result
      ? Awaited<Result>
      : unknown
    : unknown;

/** What follows the name in `socket.task(name, …)`: the input may be left out where it may be undefined. */
export type TaskArguments<Definition, Name> =
  undefined extends TaskInput<Definition, Name>
    ? [input?: TaskInput<Definition, Name>, options?: TaskOptions]
    : [input: TaskInput<Definition, Name>, options?: TaskOptions];
