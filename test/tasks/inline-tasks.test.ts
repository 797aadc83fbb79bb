import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { InlineTasks } from "../../src/tasks/inline-tasks.ts";

const FUNCTIONS = new URL("./inline-tasks.functions.js", import.meta.url).href;

describe("InlineTasks", () => {
  const tasks = new InlineTasks(FUNCTIONS);

  it("passes a copy of the input, made when the task is requested, and returns a copy of its result", async () => {
    const input = { n: 1 };
    const task = tasks.run("keep", input, {});
    input.n = 2;
    const result = (await task.result) as { kept: { n: number } };
    assert.deepEqual(result, { kept: { n: 1 } });
    result.kept.n = 3;
    assert.deepEqual(await tasks.run("kept", undefined, {}).result, { n: 1 });
  });

  it("hands over what is listed in transfer", async () => {
    const bytes = new Uint8Array(3);
    const task = tasks.run("lengthOf", bytes, { transfer: [bytes.buffer] });
    assert.equal(bytes.byteLength, 0);
    assert.equal(await task.result, 3);
  });

  it("passes errors of a task like another thread would: with their code, but without their class", async () => {
    await assert.rejects(tasks.run("fail", undefined, {}).result, (error: Error) => {
      assert.equal(error instanceof RangeError, false);
      assert.deepEqual([error.name, error.message], ["RangeError", "too far"]);
      assert.equal((error as NodeJS.ErrnoException).code, "E_FAR");
      return true;
    });
  });

  it("refuses what a server refuses", async () => {
    const refused = { code: "SIM_ERR_TASKS" };
    await assert.rejects(tasks.run("no such", undefined, {}).result, refused);
    await assert.rejects(tasks.run("keep", () => {}, {}).result, refused);
    await assert.rejects(tasks.run("unclonable", undefined, {}).result, refused);
    await assert.rejects(new InlineTasks(undefined).run("keep", 1, {}).result, refused);
  });

  it("tells a running task that it is cancelled, or that its signal is aborted", async () => {
    const cancelled = tasks.run("untilCancelled", undefined, {});
    cancelled.cancel();
    assert.equal(await tasks.run("cancelledCount", 1, {}).result, 1);
    const abort = new AbortController();
    const aborted = tasks.run("untilCancelled", undefined, { signal: abort.signal });
    abort.abort(new Error("enough"));
    await assert.rejects(aborted.result, { message: "enough" });
    assert.equal(await tasks.run("cancelledCount", 2, {}).result, 2);
  });

  it("never settles cancelled tasks", async () => {
    const done = tasks.run("lengthOf", [], {});
    const failed = tasks.run("fail", undefined, {});
    const other = tasks.run("lengthOf", [1], {});
    done.cancel();
    failed.cancel();
    assert.equal(await Promise.race([done.result, failed.result, other.result]), 1);
  });
});
