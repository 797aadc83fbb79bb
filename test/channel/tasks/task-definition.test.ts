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
  // What is not annotated is known: the context.
  count: (to: number, context) => (context.isCancelled ? -1 : to),
  greet: (name?: string) => `hello ${name ?? "you"}`,
  now: () => 5n,
});
type Definition = typeof tasks;

/** Compiles only where both are the same, as far as one may stand for the other. */
function same<A, B>(is: [A, B] extends [B, A] ? true : false): void {
  assert.equal(is, true);
}

describe("defineTasks", () => {
  it("gives the names, inputs and results of its functions by its type", () => {
    same<TaskName<Definition>, "resize" | "count" | "greet" | "now">(true);
    same<TaskInput<Definition, "resize">, Size>(true);
    same<TaskResult<Definition, "resize">, Uint8Array<ArrayBuffer>>(true);
    same<TaskInput<Definition, "count">, number>(true);
    same<TaskResult<Definition, "now">, bigint>(true);
    same<TaskInput<Definition, "now">, undefined>(true);
  });

  it("says by its type where an input may be left out", () => {
    same<TaskArguments<Definition, "count">, [input: number, options?: TaskOptions]>(true);
    same<TaskArguments<Definition, "greet">, [input?: string | undefined, options?: TaskOptions]>(
      true,
    );
    same<TaskArguments<Definition, "now">, [input?: undefined, options?: TaskOptions]>(true);
  });

  it("knows nothing of tasks whose module is not told", () => {
    same<TaskName<unknown>, string>(true);
    same<TaskArguments<unknown, string>, [input?: unknown, options?: TaskOptions]>(true);
    same<TaskResult<unknown, string>, unknown>(true);
  });

  it("makes what is recognised, and nothing else is", () => {
    assert.equal(isTasks(tasks), true);
    assert.equal(isTasks({ functions: {} }), false);
  });

  it("refuses what is no function", () => {
    assert.throws(() => defineTasks({ resize: 5 as never }), {
      code: "SIM_ERR_DEFINITION_INVALID",
      message: 'task "resize" must be a function, got number',
    });
  });
});
