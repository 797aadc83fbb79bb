import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { STDERR, STDOUT } from "../../src/output/queue-layout.ts";
import { isTaskOutput, TaskOutput, type TaskOutputMessage } from "../../src/tasks/task-output.ts";

const HALF = "x".repeat(131_072);

describe("TaskOutput", () => {
  it("sends at most 256 KiB within a second, and then how many writes it dropped", () => {
    const sent: TaskOutputMessage[] = [];
    let nowMs = 0;
    const output = new TaskOutput(
      (message) => void sent.push(message),
      () => nowMs,
    );
    const write = (text: string | Uint8Array): boolean => output.write(STDERR, text);
    assert.deepEqual([HALF, Buffer.from(HALF), "y", "z"].map(write), [true, true, false, false]);
    assert.equal(output.write(STDOUT, "y"), false);
    nowMs = 999;
    assert.equal(write("y"), false);
    nowMs = 1_000;
    assert.ok(write("later"));
    assert.ok(write("last"));
    assert.deepEqual(
      sent.map(({ stream, text, dropped }) => [stream, text.length, dropped]),
      [
        [STDERR, HALF.length, 0],
        [STDERR, HALF.length, 0],
        [STDERR, 5, 3],
        [STDERR, 4, 0],
      ],
    );
    assert.ok(sent.every(isTaskOutput));
  });

  it("is told from the messages of others", () => {
    for (const message of [undefined, null, 7, {}, { kind: "task" }]) {
      assert.equal(isTaskOutput(message), false);
    }
  });
});
