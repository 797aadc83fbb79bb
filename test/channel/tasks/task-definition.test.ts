import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  defineTasks,
  isTasks,
  type TaskArguments,
  type TaskInput,
  type TaskName,
  type TaskResult,
} from "../../../src/channel/tasks/task-definition.ts";
import type { TaskOptions } from "../../../src/channel/tasks/tasks.ts";

interface Size {
  readonly width: number;
}

const tasks = defineTasks({
  resize: async ({ width }: Size, { transfer }) => {
    const bytes = new Uint8Array(width);
    return transfer(bytes, [bytes.buffer]);
  },
  // The context is typed without an annotation.
  count: (to: number, context) => (context.isCancelled ? -1 : to),
  greet: (name?: string) => `hello ${name ?? "you"}`,
  now: () => 5n,
});
type Definition = typeof tasks;

/** Compiles only if both types are assignable to each other. */
function same<A, B>(is: [A, B] extends [B, A] ? true : false): void {
  assert.equal(is, true);
}

describe("defineTasks", () => {
  it("has the names, inputs and results of its functions in its type", () => {
    same<TaskName<Definition>, "resize" | "count" | "greet" | "now">(true);
    same<TaskInput<Definition, "resize">, Size>(true);
    same<TaskResult<Definition, "resize">, Uint8Array<ArrayBuffer>>(true);
    same<TaskInput<Definition, "count">, number>(true);
    same<TaskResult<Definition, "now">, bigint>(true);
    same<TaskInput<Definition, "now">, undefined>(true);
  });

  it("has a type that tells whether an input is optional", () => {
    same<TaskArguments<Definition, "count">, [input: number, options?: TaskOptions]>(true);
    same<TaskArguments<Definition, "greet">, [input?: string | undefined, options?: TaskOptions]>(
      true,
    );
    same<TaskArguments<Definition, "now">, [input?: undefined, options?: TaskOptions]>(true);
  });

  it("has no types for tasks whose module is unknown", () => {
    same<TaskName<unknown>, string>(true);
    same<TaskArguments<unknown, string>, [input?: unknown, options?: TaskOptions]>(true);
    same<TaskResult<unknown, string>, unknown>(true);
  });

  it("makes values that are recognized, and no others are", () => {
    assert.equal(isTasks(tasks), true);
    assert.equal(isTasks({ functions: {} }), false);
  });

  it("refuses values that are not functions", () => {
    assert.throws(() => defineTasks({ resize: 5 as never }), {
      code: "SIM_ERR_DEFINITION_INVALID",
      message: 'task "resize" must be a function, got number',
    });
  });
});
