/**
 * The inspector of threads, on plain workers.
 *
 * Runs on: the test's thread, and workers.
 * Alone: it opens the inspector of the process.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { close, open } from "node:inspector";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, describe, it } from "node:test";
import { Worker } from "node:worker_threads";

import { stackOf, terminate } from "../../src/server/thread-inspector.ts";
import { within } from "../support/deadline.ts";

const LIMIT_MS = 10_000;
/** A thread that answers what it is asked, and can be held. */
const THREAD = `
  const { parentPort } = require("node:worker_threads");
  const { execFileSync } = require("node:child_process");
  Error.stackTraceLimit = 7;
  function spinning() {
    answer("spin");
    for (;;);
  }
  function answer(how) { parentPort.postMessage([how, Error.stackTraceLimit]); }
  function blocking(port) {
    execFileSync(process.execPath, ["-e", "require('node:net').connect(" + port + ").resume()"]);
  }
  parentPort.on("message", (how) => {
    if (how === "spin") setImmediate(spinning);
    else answer(how);
    if (how.startsWith("block")) blocking(how.slice(5));
  });`;

const workers: Worker[] = [];

function started(): Worker {
  const execArgv = ["--no-force-async-hooks-checks"];
  const worker = new Worker(THREAD, { eval: true, execArgv, name: "simurgh shard 0" });
  workers.push(worker);
  return worker;
}

async function told(worker: Worker, how: string): Promise<unknown> {
  const answer = once(worker, "message");
  worker.postMessage(how);
  const [said] = await within(answer, `the answer to ${how}`, LIMIT_MS);
  return said;
}

afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

describe("the inspector of threads", () => {
  it("shows the stack of the thread that it is asked for, without its own lines", async () => {
    const [, spinning, idle] = [started(), started(), started()];
    await told(spinning, "spin");
    await told(idle, "hello");
    const stack = await stackOf(spinning.threadId, LIMIT_MS);
    assert.match(stack ?? "", /^ {4}at (Immediate\.)?spinning .*\[worker eval\]:7:/);
    assert.deepEqual(await told(idle, "still"), ["still", 7]);
  });

  it("ends what the thread runs, and only there; its loop goes on", async () => {
    const [spinning, other] = [started(), started()];
    await told(spinning, "spin");
    await told(other, "spin");
    const termination = terminate(spinning.threadId);
    assert.deepEqual(await told(spinning, "hello"), ["hello", 7]);
    termination?.release();
    assert.match((await stackOf(other.threadId, LIMIT_MS)) ?? "", /spinning/);
  });

  it("ends what the thread runs next, if it is asked again", async () => {
    const thread = started();
    await told(thread, "spin");
    // Begins once the first one has been ended.
    const next = told(thread, "spin");
    const termination = terminate(thread.threadId);
    await next;
    // Has no effect until the thread has confirmed the first end.
    const repeated = setInterval(() => termination?.repeat(), 20);
    try {
      assert.deepEqual(await told(thread, "hello"), ["hello", 7]);
    } finally {
      clearInterval(repeated);
      termination?.release();
    }
  });

  it("shows no stack of code that cannot be interrupted, and leaves nothing behind", async () => {
    const thread = started();
    // The thread waits for a program, which waits until this server closes its connection.
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const connected = once(server, "connection") as Promise<[Socket]>;
    await told(thread, `block${(server.address() as AddressInfo).port}`);
    const [connection] = await within(connected, "the program's connection", LIMIT_MS);
    assert.equal(await stackOf(thread.threadId, 100), undefined);
    connection.end();
    server.close();
    assert.deepEqual(await told(thread, "after"), ["after", 7]);
    assert.deepEqual(await told(thread, "again"), ["again", 7]);
  });

  it("knows no thread that has ended", async () => {
    const thread = started();
    const { threadId } = thread;
    await thread.terminate();
    assert.equal(await stackOf(threadId, LIMIT_MS), undefined);
    assert.equal(terminate(threadId), undefined);
  });

  it("does nothing while a debugger can be attached", async () => {
    const thread = started();
    await told(thread, "hello");
    open(0, "127.0.0.1");
    assert.equal(await stackOf(thread.threadId, LIMIT_MS), undefined);
    close();
    assert.notEqual(await stackOf(thread.threadId, LIMIT_MS), undefined);
  });
});
