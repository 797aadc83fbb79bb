import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { beforeEach, describe, it } from "node:test";

import { reportOf } from "../../src/error-report.ts";
import { TaskClient } from "../../src/tasks/task-client.ts";
import type { TaskMessage } from "../../src/tasks/task-messages.ts";

const MODULE = "file:///app/tasks.js";

/** A client whose messages are recorded, cloned as on their way to main. */
function makeClient(): {
  client: TaskClient;
  told: TaskMessage[];
} {
  const told: TaskMessage[] = [];
  const client = new TaskClient(MODULE, (message) => told.push(structuredClone(message)));
  return { client, told };
}

describe("TaskClient", () => {
  it("numbers its tasks, and settles each by its number", async () => {
    const { client, told } = makeClient();
    const first = client.run("double", 1, {});
    const second = client.run("double", 2, {});
    assert.deepEqual(told, [
      { kind: "task", id: 0, module: MODULE, name: "double", input: 1, transfer: [] },
      { kind: "task", id: 1, module: MODULE, name: "double", input: 2, transfer: [] },
    ]);
    const error = reportOf(Object.assign(new RangeError("too far"), { code: "E_FAR" }));
    client.settle({ kind: "taskFailed", id: 1, error });
    client.settle({ kind: "taskDone", id: 0, result: 2, transfer: [] });
    assert.equal(await first.result, 2);
    await assert.rejects(second.result, { name: "RangeError", message: "too far", code: "E_FAR" });
  });

  it("rejects a task of an endpoint that has no tasks module", async () => {
    const told: TaskMessage[] = [];
    const client = new TaskClient(undefined, (message) => told.push(message));
    await assert.rejects(client.run("double", 1, {}).result, {
      code: "SIM_ERR_TASKS",
      message: 'endpoint must have a tasks module to run task "double", got none',
    });
    assert.deepEqual(told, []);
  });

  it("rejects an input that cannot be cloned, and keeps none of it", async () => {
    const { client, told } = makeClient();
    const task = client.run("double", () => {}, {});
    await assert.rejects(task.result, { code: "SIM_ERR_TASKS" });
    task.cancel();
    assert.deepEqual(told, []);
  });

  it("tells main once that a task is cancelled, and ignores the answer", async () => {
    const { client, told } = makeClient();
    const cancelled = client.run("double", 1, {});
    const other = client.run("double", 2, {});
    cancelled.cancel();
    cancelled.cancel();
    assert.deepEqual(told.slice(2), [{ kind: "taskCancel", id: 0 }]);
    client.settle({ kind: "taskDone", id: 0, result: "late", transfer: [] });
    client.settle({ kind: "taskDone", id: 1, result: "other", transfer: [] });
    const first = await Promise.race([cancelled.result, other.result]);
    assert.equal(first, "other");
  });

  it("does not cancel a task that is done", async () => {
    const { client, told } = makeClient();
    const task = client.run("double", 1, {});
    client.settle({ kind: "taskDone", id: 0, result: 2, transfer: [] });
    task.cancel();
    assert.equal(await task.result, 2);
    assert.equal(told.length, 1);
  });

  it("rejects unfinished tasks when it closes, and later ones", async () => {
    const { client } = makeClient();
    const open = client.run("double", 1, {});
    client.close();
    const closed = { code: "SIM_ERR_SERVER_CLOSED" };
    await assert.rejects(open.result, closed);
    await assert.rejects(client.run("double", 1, {}).result, closed);
  });
});

describe("a task with a signal", () => {
  const REASON = new Error("enough");
  let client: TaskClient;
  let told: TaskMessage[];
  let abort: AbortController;

  beforeEach(() => {
    ({ client, told } = makeClient());
    abort = new AbortController();
  });

  it("is cancelled when the signal is aborted, and rejects with the reason", async () => {
    const { result } = client.run("sum", 1, { signal: abort.signal });
    abort.abort(REASON);
    assert.deepEqual(told.slice(1), [{ kind: "taskCancel", id: 0 }]);
    await assert.rejects(result, REASON);
  });

  it("is never sent if the signal is aborted already", async () => {
    const { result } = client.run("sum", 1, { signal: AbortSignal.abort(REASON) });
    await assert.rejects(result, REASON);
    assert.deepEqual(told, []);
  });

  it("leaves no listener on the signal when it is done, has failed or is cancelled", async () => {
    const { signal } = abort;
    const [done, failed, cancelled] = [1, 2, 3].map((n) => client.run("sum", n, { signal }));
    assert.equal(getEventListeners(signal, "abort").length, 3);
    client.settle({ kind: "taskDone", id: 0, result: 5, transfer: [] });
    client.settle({ kind: "taskFailed", id: 1, error: reportOf(REASON) });
    cancelled?.cancel();
    assert.equal(await done?.result, 5);
    await assert.rejects(failed?.result ?? Promise.resolve(), REASON);
    assert.equal(getEventListeners(signal, "abort").length, 0);
    abort.abort();
    assert.deepEqual(told.slice(3), [{ kind: "taskCancel", id: 2 }]);
  });

  it("leaves no listener on the signal when its input cannot be cloned, or its shard ends", async () => {
    const { signal } = abort;
    const unclonable = client.run("sum", () => {}, { signal });
    await assert.rejects(unclonable.result, { code: "SIM_ERR_TASKS" });
    assert.equal(getEventListeners(signal, "abort").length, 0);
    const open = client.run("sum", 1, { signal });
    client.close();
    await assert.rejects(open.result, { code: "SIM_ERR_SERVER_CLOSED" });
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });
});
