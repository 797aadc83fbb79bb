/**
 * The pool of threads that run tasks.
 *
 * Runs on: the test's thread; the pool's threads are workers of it.
 * Slow: each test starts threads, and some wait for a time limit.
 */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { EventEmitter, once } from "node:events";
import { afterEach, beforeEach, describe, it } from "node:test";
import { pathToFileURL } from "node:url";

import { Logger } from "../../src/log/logger.ts";
import { STDERR, STDOUT } from "../../src/output/queue-layout.ts";
import type { LogSink } from "../../src/log/sink.ts";
import { Counters, makeCountersMemory, readCounters } from "../../src/memory/counters.ts";
import { resolveOptions } from "../../src/options/resolution.ts";
import type { Options } from "../../src/options/options.ts";
import { TaskPool } from "../../src/tasks/task-pool.ts";
import type { HandedOver, TaskAnswer } from "../../src/tasks/task-messages.ts";
import { within } from "../support/deadline.ts";
import { turn } from "../support/world.ts";
import { WORD } from "./task-pool.functions.ts";

const FUNCTIONS = new URL("./task-pool.functions.js", import.meta.url).href;
/** A file of the source tree: the compiled one would be JavaScript. */
const TYPESCRIPT = new URL("../../../test/fixtures/tasks/tasks.ts", import.meta.url).href;

const MAIN = 0;
let countersMemory = makeCountersMemory(1);
beforeEach(() => {
  countersMemory = makeCountersMemory(1);
});
const pools = new Set<TaskPool>();
afterEach(async () => {
  await Promise.all([...pools].map((pool) => within(pool.close(), "the pool's end")));
  pools.clear();
});

function quiet(): void {}

/** What tasks have printed. */
const printed: (readonly [stream: number, text: string | Uint8Array])[] = [];
const printedSomething = new EventEmitter();

function makePool(given: Options, sink: Partial<LogSink> = {}): TaskPool {
  const options = resolveOptions(
    { taskThreads: 1, ...given },
    {},
    {
      parallelism: () => 1,
      descriptorLimit: () => 1_024,
      memoryLimit: () => 1_073_741_824,
      secretKeyBase: () => "x".repeat(64),
      nodeName: () => "node",
    },
  );
  const logger = new Logger("debug", {
    debug: quiet,
    info: quiet,
    warn: quiet,
    error: quiet,
    ...sink,
  });
  const counters = new Counters(countersMemory, MAIN);
  const output = {
    write: (stream: number, text: string | Uint8Array) => {
      printed.push([stream, text]);
      printedSomething.emit("printed");
      return true;
    },
    dropped: quiet,
  };
  const pool = new TaskPool(options, counters, logger, output);
  pools.add(pool);
  return pool;
}

/** Counters of tasks that are not 0, except those of time. */
function counted(): Record<string, number> {
  const entries = Object.entries(readCounters(countersMemory, MAIN));
  const ours = entries.filter(([name, n]) => /^tasks.*(?<!Ms)$/.test(name) && n !== 0);
  return Object.fromEntries(ours.map(([name, n]) => [name.slice("tasks".length), n]));
}

/** A shard's thread, as the pool knows it. */
class Owner {
  readonly shard = 0;
  readonly answers: TaskAnswer[] = [];
  readonly #events = new EventEmitter();
  readonly #pool: TaskPool;
  #nextId = 0;

  constructor(pool: TaskPool) {
    this.#pool = pool;
  }

  send(answer: TaskAnswer, transfer: readonly HandedOver[]): void {
    // As between threads: a value that cannot be cloned cannot be sent.
    this.answers.push(structuredClone(answer, { transfer: [...transfer] as never }));
    this.#events.emit(`answer ${answer.id}`);
  }

  /** Requests a task, and returns its number. */
  begin(
    name: string,
    input?: unknown,
    more: { module?: string; transfer?: ArrayBuffer[] } = {},
  ): number {
    const { module = FUNCTIONS, transfer = [] } = more;
    const id = this.#nextId;
    this.#nextId += 1;
    this.#pool.take(this, { kind: "task", id, module, name, input, transfer });
    return id;
  }

  cancel(id: number): void {
    this.#pool.take(this, { kind: "taskCancel", id });
  }

  async answer(id: number): Promise<TaskAnswer> {
    const known = this.answers.find((answer) => answer.id === id);
    if (known) return known;
    await within(once(this.#events, `answer ${id}`), `the answer to task ${id}`);
    return this.answer(id);
  }

  async result(id: number): Promise<unknown> {
    const answer = await this.answer(id);
    assert.equal(answer.kind, "taskDone", JSON.stringify(answer));
    return answer.result;
  }

  async failure(id: number): Promise<Extract<TaskAnswer, { kind: "taskFailed" }>["error"]> {
    const answer = await this.answer(id);
    assert.equal(answer.kind, "taskFailed", JSON.stringify(answer));
    return answer.error;
  }
}

/** Memory that a test shares with tasks that block their threads. */
class Hold {
  readonly shared = new SharedArrayBuffer(8);
  readonly #words = new Int32Array(this.shared);

  /** Waits until `count` tasks have started. */
  async started(count: number): Promise<void> {
    for (;;) {
      const now = Atomics.load(this.#words, WORD.started);
      if (now >= count) return;
      const { value } = Atomics.waitAsync(this.#words, WORD.started, now);
      await within(Promise.resolve(value), `the start of task ${count}`);
    }
  }

  /** Waits until a task has reported where it ended. */
  async endedOn(): Promise<number> {
    const { value } = Atomics.waitAsync(this.#words, WORD.released, 0);
    await within(Promise.resolve(value), "the end of the task by itself");
    return Atomics.load(this.#words, WORD.released);
  }

  get count(): number {
    return Atomics.load(this.#words, WORD.started);
  }

  release(): void {
    Atomics.store(this.#words, WORD.released, 1);
    Atomics.notify(this.#words, WORD.released);
  }
}

describe("TaskPool", () => {
  it("returns the result of a task", async () => {
    const owner = new Owner(makePool({}));
    assert.equal(await owner.result(owner.begin("double", 21)), 42);
  });

  it("passes on what a task throws: with its code, stack and cause", async () => {
    const owner = new Owner(makePool({}));
    const error = await owner.failure(owner.begin("fail"));
    assert.deepEqual([error.name, error.message, error.code], ["RangeError", "too far", "E_FAR"]);
    assert.match(error.stack ?? "", /at fail \(.*task-pool\.functions/);
    assert.equal(error.cause?.message, "no fuel");
  });

  it("passes on what a task prints", async () => {
    const owner = new Owner(makePool({}));
    await owner.result(owner.begin("print", "hello"));
    while (printed.length < 2) await within(once(printedSomething, "printed"), "both lines");
    assert.deepEqual(printed, [
      [STDOUT, "hello on stdout\n"],
      [STDERR, "hello on stderr\n"],
    ]);
  });

  it("lists the known tasks if there is none of the requested name", async () => {
    const owner = new Owner(makePool({}));
    const error = await owner.failure(owner.begin("toString"));
    assert.equal(error.code, "SIM_ERR_TASKS");
    assert.match(error.message, /must define a task "toString", got .*double/);
  });

  it("reports a missing tasks module", async () => {
    const owner = new Owner(makePool({}));
    const module = pathToFileURL("/nowhere/tasks.js").href;
    const error = await owner.failure(owner.begin("double", 1, { module }));
    assert.equal(error.code, "SIM_ERR_APP_MODULE");
    assert.equal(error.message, "tasks module must be a file, got none at /nowhere/tasks.js");
  });

  it("runs tasks in TypeScript, under their own name or that of the compiled file", async () => {
    const owner = new Owner(makePool({}));
    const named = [TYPESCRIPT, TYPESCRIPT.replace(/ts$/, "js")];
    const ids = named.map((module) => owner.begin("area", { side: 3 }, { module }));
    assert.deepEqual(await Promise.all(ids.map((id) => owner.result(id))), [9, 9]);
  });

  it("hands over what is listed in transfer, without copying it", async () => {
    const owner = new Owner(makePool({}));
    const bytes = new Uint8Array([1, 2, 3]);
    const id = owner.begin("sum", bytes, { transfer: [bytes.buffer] });
    assert.equal(await owner.result(id), 6);
    assert.equal(bytes.byteLength, 0);
  });

  it("refuses a task beyond the bound at once, and runs waiting tasks in order", async () => {
    const owner = new Owner(makePool({ maxTaskQueue: 1 }));
    const hold = new Hold();
    const first = owner.begin("hold", hold.shared);
    const second = owner.begin("double", 2);
    const third = owner.begin("double", 3);

    const [answer] = owner.answers;
    assert.equal(answer?.id, third, "the third was refused before the first was answered");
    assert.equal((await owner.failure(third)).code, "SIM_ERR_TASK_QUEUE_FULL");
    await hold.started(1);
    hold.release();
    assert.equal(await owner.result(first), "released");
    assert.equal(await owner.result(second), 4);
    assert.equal(await owner.result(owner.begin("double", 4)), 8, "there is room again");
  });

  it("refuses a task without a free thread if none may wait", async () => {
    const owner = new Owner(makePool({ maxTaskQueue: 0 }));
    const hold = new Hold();
    const first = owner.begin("hold", hold.shared);
    assert.equal((await owner.failure(owner.begin("double", 1))).code, "SIM_ERR_TASK_QUEUE_FULL");
    hold.release();
    await owner.result(first);
  });

  it("ends a task that runs too long, and its thread", async () => {
    const owner = new Owner(makePool({ taskTimeoutMs: 50 }));
    const hold = new Hold();
    const slow = owner.begin("hold", hold.shared);
    const error = await owner.failure(slow);
    assert.equal(error.code, "SIM_ERR_TASK_TIMEOUT");
    assert.equal(error.message, 'task "hold" must be done within 50 (ms)');
  });

  it("does not count the wait for a thread towards the time limit", async (t) => {
    const owner = new Owner(makePool({ taskTimeoutMs: 1_000 }));
    const holds = [new Hold(), new Hold()];
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const ids = holds.map((hold) => owner.begin("hold", hold.shared));
    for (const [at, hold] of holds.entries()) {
      await hold.started(1);
      t.mock.timers.tick(900);
      hold.release();
      assert.equal(await owner.result(ids[at] as number), "released");
    }
  });

  it("never runs or answers a task that was cancelled while it waited", async () => {
    const owner = new Owner(makePool({ maxTaskQueue: 1 }));
    const hold = new Hold();
    const first = owner.begin("hold", hold.shared);
    const second = owner.begin("hold", hold.shared);
    await hold.started(1);
    owner.cancel(second);
    const third = owner.begin("double", 1);
    hold.release();
    await owner.result(first);
    assert.equal(await owner.result(third), 2, "the cancelled one left its place");
    assert.equal(hold.count, 1);
    assert.equal(
      owner.answers.some(({ id }) => id === second),
      false,
    );
  });

  it("terminates the thread of a task that is cancelled while it runs", async () => {
    const owner = new Owner(makePool({}));
    const hold = new Hold();
    const held = owner.begin("hold", hold.shared);
    await hold.started(1);
    owner.cancel(held);
    // The only thread was blocked, so an answer means that it was terminated.
    assert.equal(await owner.result(owner.begin("double", 1)), 2);
    assert.equal(owner.answers.length, 1);
  });

  it("keeps the thread of a task that is nearly done when it is cancelled", async () => {
    const owner = new Owner(makePool({}));
    const hold = new Hold();
    const thread = await owner.result(owner.begin("where"));
    const held = owner.begin("hold", hold.shared);
    await hold.started(1);
    owner.cancel(held);
    hold.release();
    assert.equal(await owner.result(owner.begin("where")), thread);
    assert.equal(owner.answers.length, 2, "nobody is told of it");
  });

  for (const name of ["mind", "mindSignal"]) {
    it(`keeps the thread of a task that ends by itself when it is cancelled (${name})`, async () => {
      const owner = new Owner(makePool({}));
      const hold = new Hold();
      const task = owner.begin(name, hold.shared);
      await hold.started(1);
      owner.cancel(task);
      const thread = await hold.endedOn();
      assert.equal(await owner.result(owner.begin("where")), thread);
      assert.equal(owner.answers.length, 1, "nobody is told of it");
    });
  }

  it("keeps the thread of a task that ends by itself when its time is over", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const owner = new Owner(makePool({ taskTimeoutMs: 1_000 }));
    const hold = new Hold();
    const task = owner.begin("mind", hold.shared);
    await hold.started(1);
    t.mock.timers.tick(1_000);
    assert.equal((await owner.failure(task)).code, "SIM_ERR_TASK_TIMEOUT");
    const thread = await hold.endedOn();
    assert.equal(await owner.result(owner.begin("where")), thread);
    assert.equal(owner.answers.length, 2, "one answer to each");
  });

  it("terminates the thread of a task that has read its signal but goes on", async (t) => {
    const owner = new Owner(makePool({}));
    const hold = new Hold();
    const held = owner.begin("hearAndHold", hold.shared);
    await hold.started(1);
    t.mock.timers.enable({ apis: ["setTimeout"] });
    owner.cancel(held);
    const next = owner.begin("double", 1);
    t.mock.timers.tick(999);
    await turn();
    const { tasksRunning, tasksWaiting } = readCounters(countersMemory, MAIN);
    assert.deepEqual([tasksRunning, tasksWaiting, owner.answers], [1, 1, []]);
    t.mock.timers.tick(1);
    assert.equal(await owner.result(next), 2);
  });

  it("hands over parts of a result", async () => {
    const owner = new Owner(makePool({}));
    assert.deepEqual(await owner.result(owner.begin("give", 3)), new Uint8Array([7, 7, 7]));
    assert.equal(await owner.result(owner.begin("bytesLeft")), 0);
  });

  it("counts its tasks by how they ended", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const owner = new Owner(makePool({ maxTaskQueue: 2, taskTimeoutMs: 500 }));
    const hold = new Hold();
    const held = owner.begin("hold", hold.shared);
    const ids = ["double", "double", "double"].map((name) => owner.begin(name, 1));
    const givenMs = performance.now();
    assert.deepEqual(counted(), { Waiting: 2, Running: 1, Refused: 1 });
    owner.cancel(ids[0] as number);
    await hold.started(1);
    const heldMs = performance.now() - givenMs;
    t.mock.timers.tick(500);
    await owner.failure(held);
    await owner.result(ids[1] as number);
    await owner.failure(owner.begin("fail"));
    await owner.result(owner.begin("double", 1));
    assert.deepEqual(counted(), { Refused: 1, Cancelled: 1, TimedOut: 1, Done: 2, Failed: 1 });
    const { tasksRanMs, tasksWaitedMs } = readCounters(countersMemory, MAIN);
    // The first ran for longer than that, and the one behind it waited as long, but no other did.
    assert.ok(tasksRanMs > heldMs, `ran for ${tasksRanMs} ms, at least ${heldMs}`);
    assert.ok(tasksWaitedMs > heldMs, `waited for ${tasksWaitedMs} ms, at least ${heldMs}`);
    assert.ok(heldMs > 1, `held for ${heldMs} ms`);
  });

  it("publishes to telemetry how each task ended and how long it took", async () => {
    const events: { name: string; shard: number; outcome: string; waitMs: number }[] = [];
    const hear = (event: unknown): void => void events.push(event as (typeof events)[number]);
    subscribe("simurgh:task_ended", hear);
    try {
      const owner = new Owner(makePool({}));
      const first = owner.begin("double", 1);
      const second = owner.begin("fail");
      owner.cancel(owner.begin("double", 1));
      await owner.result(first);
      await owner.failure(second);
      await owner.result(owner.begin("double", 1));
      assert.deepEqual(
        events.slice(0, 3).map(({ name, shard, outcome }) => [name, shard, outcome]),
        [
          ["double", 0, "cancelled"],
          ["double", 0, "done"],
          ["fail", 0, "failed"],
        ],
      );
      assert.equal(events[1]?.waitMs, 0);
      assert.ok((events[2]?.waitMs ?? 0) > 0);
    } finally {
      unsubscribe("simurgh:task_ended", hear);
    }
  });

  it("ignores a late cancel, and one of an unknown task", async () => {
    const owner = new Owner(makePool({}));
    const id = owner.begin("double", 1);
    await owner.result(id);
    owner.cancel(id);
    owner.cancel(77);
    assert.equal(await owner.result(owner.begin("double", 2)), 4);
  });

  it("cancels the tasks of a shard that has ended, and of no other", async () => {
    const pool = makePool({});
    const ended = new Owner(pool);
    const other = new Owner(pool);
    const hold = new Hold();
    ended.begin("hold", hold.shared);
    ended.begin("hold", hold.shared);
    const kept = other.begin("double", 5);
    await hold.started(1);
    pool.forget(ended);
    assert.equal(await other.result(kept), 10);
    assert.deepEqual([ended.answers, hold.count], [[], 1]);
  });

  it("goes on after a task has ended its own thread, or returned what cannot be cloned", async () => {
    const owner = new Owner(makePool({}));
    assert.match((await owner.failure(owner.begin("leave"))).message, /exited with code: 3/);
    const error = await owner.failure(owner.begin("unclonable"));
    assert.equal(error.code, "SIM_ERR_TASKS");
    assert.match(error.message, /^result of a task must survive a structured clone/);
    assert.equal(await owner.result(owner.begin("double", 1)), 2);
  });

  it("logs errors on a thread outside any task", async () => {
    const lines = new EventEmitter();
    const error = (fields: object, text: string): void => void lines.emit("line", fields, text);
    const owner = new Owner(makePool({}, { error }));
    const logged = once(lines, "line");
    const hold = new Hold();
    assert.equal(await owner.result(owner.begin("failLater", hold.shared)), "done");
    // Only now, because the end of a thread may be reported before its last messages.
    hold.release();
    const [fields, text] = (await within(logged, "the log line")) as [{ err: Error }, string];
    assert.equal(text, "a thread of the task pool failed outside a task");
    assert.equal(fields.err.message, "after the task");
  });

  it("closes while tasks run, and refuses later ones", async () => {
    const pool = makePool({});
    const owner = new Owner(pool);
    const hold = new Hold();
    owner.begin("hold", hold.shared);
    owner.begin("double", 1);
    await hold.started(1);
    await within(pool.close(), "the end of the pool");
    assert.deepEqual(owner.answers, []);
    const late = owner.begin("double", 1);
    assert.equal((await owner.failure(late)).code, "SIM_ERR_SERVER_CLOSED");
  });
});
