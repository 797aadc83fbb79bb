import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { beforeEach, describe, it } from "node:test";

import { runTask } from "../../../src/channel/tasks/task-signal.ts";
import { RecordingTasks } from "../../support/world.ts";

const REASON = new Error("enough");

describe("a task with a signal", () => {
  let tasks: RecordingTasks;
  let abort: AbortController;

  beforeEach(() => {
    tasks = new RecordingTasks();
    abort = new AbortController();
  });

  it("is cancelled when it is aborted, and rejects with the reason", async () => {
    const { result } = runTask(tasks, "sum", 1, { signal: abort.signal });
    abort.abort(REASON);
    assert.equal(tasks.given[0]?.isCancelled, true);
    await assert.rejects(result, REASON);
  });

  it("is never given away where it is aborted already", async () => {
    const { result } = runTask(tasks, "sum", 1, { signal: AbortSignal.abort(REASON) });
    await assert.rejects(result, REASON);
    assert.deepEqual(tasks.given, []);
  });

  it("leaves nothing on the signal once it is done, or failed, or cancelled", async () => {
    const { signal } = abort;
    const [done, failed, cancelled] = [1, 2, 3].map((n) => runTask(tasks, "sum", n, { signal }));
    assert.equal(getEventListeners(signal, "abort").length, 3);
    tasks.given[0]?.resolve(5);
    tasks.given[1]?.reject(REASON);
    cancelled?.cancel();
    assert.equal(await done?.result, 5);
    await assert.rejects(failed?.result ?? Promise.resolve(), REASON);
    assert.equal(getEventListeners(signal, "abort").length, 0);
    abort.abort();
    assert.deepEqual(
      tasks.given.map(({ isCancelled }) => isCancelled),
      [false, false, true],
    );
  });
});
