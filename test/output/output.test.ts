/**
 * The output queue, from the threads that write to the pipes that are read, or not.
 *
 * Runs on: the test's thread, the writer's thread, and threads that write.
 * Slow: some tests wait until the writer tries again.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Worker } from "node:worker_threads";

import { Counters, makeCountersMemory, readCounters } from "../../src/memory/counters.ts";
import { OutputQueue } from "../../src/output/output-queue.ts";
import { OutputThread } from "../../src/output/output-thread.ts";
import {
  makeOutputMemory,
  STDERR,
  STDOUT,
  type OutputMemory,
} from "../../src/output/queue-layout.ts";
import { within } from "../support/deadline.ts";
import { Fifo } from "../support/fifo.ts";

const PRODUCERS = 3;
/** The smallest rings: 4 KiB each. */
const SMALL = 1;
const TEXTS = { dropped: "dropped", failed: "failed" };
/** Rings that hold more than a pipe does. */
const LARGE = 2 ** 20;
/** More than a pipe and small rings hold. */
const FLOOD = 200_000;

let out: Fifo;
let err: Fifo;
let memory: OutputMemory;
let counters: SharedArrayBuffer;
let thread: OutputThread | undefined;

function startThread(descriptors = [out.descriptor, err.descriptor]): OutputThread {
  thread = new OutputThread(memory, TEXTS, { descriptors });
  return thread;
}

function queueOf(producer: number): OutputQueue {
  return new OutputQueue(memory, producer, new Counters(counters, producer));
}

function droppedBy(producer: number): number {
  return readCounters(counters, producer).outputDropped;
}

/** Writes lines of a number and 100 characters until the queue is full. Returns how many were dropped. */
function flood(queue: OutputQueue, stream: number): number {
  let dropped = 0;
  for (let n = 0; n * 100 < FLOOD; n += 1) {
    if (!queue.write(stream, `${n} ${"x".repeat(100)}\n`)) dropped += 1;
  }
  return dropped;
}

function linesOf(text: string): string[] {
  return text.split("\n").slice(0, -1);
}

describe("The output of a node's threads", () => {
  beforeEach(() => {
    out = new Fifo();
    err = new Fifo();
    memory = makeOutputMemory(PRODUCERS, SMALL);
    counters = makeCountersMemory(PRODUCERS);
  });

  afterEach(async () => {
    await thread?.stop();
    thread = undefined;
    out.remove();
    err.remove();
  });

  it("arrives line by line, that of each thread in its order", async () => {
    memory = makeOutputMemory(PRODUCERS, LARGE);
    startThread();
    const queues = [queueOf(0), queueOf(1)];
    for (let n = 0; n < 500; n += 1) {
      for (const [producer, queue] of queues.entries()) {
        assert.ok(queue.write(STDERR, `${producer} ${n} ä\n`));
      }
    }
    const lines = linesOf(await err.read(/0 499 ä\n[^]*1 499 ä\n|1 499 ä\n[^]*0 499 ä\n/));
    for (const producer of [0, 1]) {
      const own = lines.filter((line) => line.startsWith(`${producer} `));
      assert.deepEqual(
        own,
        Array.from({ length: 500 }, (_, n) => `${producer} ${n} ä`),
      );
    }
  });

  it("goes to the stream that it was written to", async () => {
    startThread();
    queueOf(0).write(STDOUT, "to stdout\n");
    queueOf(1).write(STDERR, Buffer.from("to stderr\n"));
    assert.equal(await out.read(/\n/), "to stdout\n");
    assert.equal(await err.read(/\n/), "to stderr\n");
  });

  it("stays in one piece, even if it takes several records", async () => {
    const long = "y".repeat(1_500);
    const [one, other] = [queueOf(0), queueOf(1)];
    for (let n = 0; n < 2; n += 1) {
      one.write(STDERR, `${long}\n`);
      other.write(STDERR, `${n}\n`);
    }
    startThread();
    const text = await err.read(/(?:y\n[^]*){2}1\n|1\n[^]*(?:y\n[^]*){2}/);
    assert.deepEqual(linesOf(text).toSorted(), ["0", "1", long, long]);
  });

  it("is cut if it is longer than half of the ring", async () => {
    startThread();
    assert.ok(queueOf(0).write(STDERR, "z".repeat(100_000)));
    assert.match(await err.read(/\n/), /^z{2038}\.\.\. \(cut\)\n$/);
    assert.equal(droppedBy(0), 0);
  });

  it("arrives if its thread ends as soon as it was written", async () => {
    memory = makeOutputMemory(PRODUCERS, LARGE);
    const entry = new URL("./writing.worker.js", import.meta.url);
    const workerData = { memory, counters, producer: 1, count: 1_000 };
    await once(new Worker(entry, { workerData }), "exit");
    startThread();
    assert.equal(linesOf(await err.read(/1 999\n/)).length, 1_000);
  });

  it("is taken from console and the streams of a thread, in order, before they return", async () => {
    const worker = new Worker(new URL("./capturing.worker.js", import.meta.url));
    const [message] = (await once(worker, "message")) as [unknown];
    const latin1 = Buffer.from("latin1 \u00E4\n", "latin1").toString();
    assert.deepEqual(message, {
      atOnce: 6,
      taken: [
        [STDOUT, "console.log\n"],
        [STDERR, "console.error\n"],
        [STDOUT, "bytes ä\n"],
        [STDOUT, latin1],
        [STDERR, "corked 1\n"],
        [STDERR, "corked 2\n"],
        [STDOUT, "with a callback\n"],
        [STDOUT, "piped 1\n"],
        [STDOUT, "piped 2\n"],
      ],
    });
  });

  it("is continued by the next thread with the same number", async () => {
    startThread();
    queueOf(0).write(STDERR, "one\n");
    queueOf(0).write(STDERR, "two\n");
    assert.equal(await err.read(/two\n/), "one\ntwo\n");
  });

  it("is dropped and counted while nobody reads; then a line says how much, once", async () => {
    startThread();
    const queue = queueOf(0);
    const dropped = flood(queue, STDERR);
    assert.ok(dropped > 0);
    assert.equal(droppedBy(0), dropped);
    const lines = linesOf(await err.read(/"msg":"dropped"\}\n/));
    const { time, ...notice } = JSON.parse(lines.at(-1) ?? "") as Record<string, unknown>;
    assert.equal(typeof time, "number");
    assert.deepEqual(notice, { level: 40, stream: "stderr", count: dropped, msg: "dropped" });
    // Everything else arrived, and nothing was torn.
    assert.equal(lines.length - 1 + dropped, FLOOD / 100);
    assert.ok(lines.slice(0, -1).every((line) => /^\d+ x{100}$/.test(line)));
    queue.write(STDERR, "later\n");
    assert.equal((await err.read(/later\n/)).match(/"msg":"dropped"/g)?.length, 1);
  });

  it("goes on to one stream while the other is blocked", async () => {
    startThread();
    const queue = queueOf(0);
    flood(queue, STDOUT);
    queue.write(STDERR, "to stderr\n");
    assert.match(await err.read(/to stderr\n/), /^to stderr\n/);
    await out.read(/x\n/);
    assert.match(await err.read(/"msg":"dropped"/), /"stream":"stdout"/);
  });

  it("is kept while a disk is full; a line on the other stream says why", async () => {
    const full = openSync("/dev/full", "w");
    try {
      startThread([full, err.descriptor]);
      queueOf(0).write(STDOUT, "to stdout\n");
      const { time: _, ...line } = JSON.parse(await err.read(/\n/)) as Record<string, unknown>;
      assert.deepEqual(line, { level: 50, stream: "stdout", code: "ENOSPC", msg: "failed" });
      queueOf(1).write(STDERR, "next\n");
      assert.equal(linesOf(await err.read(/next\n/)).length, 2);
      assert.equal(thread?.flushNow(10_000), true);
      await thread?.stop();
    } finally {
      closeSync(full);
    }
  });

  it("goes on when a pipe that was closed is read again", async () => {
    startThread();
    err.close();
    queueOf(0).write(STDERR, "one\n");
    queueOf(0).write(STDOUT, "out\n");
    assert.equal(await out.read(/\n/), "out\n");
    err.open();
    assert.equal(await err.read(/\n/), "one\n");
  });

  it("is written before flushNow returns, also what came just before", async () => {
    const started = startThread();
    for (let n = 0; n < 20; n += 1) queueOf(0).write(STDERR, `${n}\n`);
    assert.equal(started.flushNow(30_000), true);
    assert.match(await err.read(/19\n/), /^0\n1\n/);
  });

  it("makes flushNow return long before its limit while nobody reads", async () => {
    memory = makeOutputMemory(PRODUCERS, LARGE);
    const started = startThread();
    queueOf(0).write(STDOUT, "to stdout\n");
    await out.read(/\n/);
    flood(queueOf(0), STDERR);
    const startedMs = performance.now();
    assert.equal(started.flushNow(600_000), false);
    assert.ok(performance.now() - startedMs < 30_000);
  });

  it("is written when the writer is stopped, as far as it is read", async () => {
    memory = makeOutputMemory(PRODUCERS, LARGE);
    const started = startThread();
    flood(queueOf(0), STDERR);
    queueOf(0).write(STDOUT, "last\n");
    await started.stop();
    assert.equal(await out.read(/\n/), "last\n");
  });

  it("keeps nobody waiting if the writer is stopped after it has failed", async () => {
    const created = once(process, "worker");
    // A writer without texts fails as soon as it starts.
    const failing = new OutputThread(memory, undefined as never);
    const [worker] = (await created) as [Worker];
    await new Promise((resolve) => {
      worker.once("exit", resolve);
    });
    await within(failing.stop(), "the end of the writer");
  });
});
