/**
 * Main's handle on the writer's thread, which writes the output of all threads of a node.
 *
 *   writing --stop----------> writing the last bytes --> ended
 *    |   ^                      ^
 *    |   +--RESTART_MS--+       |
 *    +--error--------> failed --stop
 *
 * Runs on: main; one per server.
 */

import { Worker } from "node:worker_threads";

import { RingConsumer, makeRingViews } from "../memory/ring.ts";
import { threadFile } from "../package-copy.ts";
import {
  AWAKE,
  BLOCKED,
  BLOCKED_MS,
  DESCRIPTORS,
  FAILED,
  outputRing,
  PENDING_WORD,
  ROUNDS_WORD,
  SLEEP_WORD,
  STATE_WORD,
  STDERR,
  STDOUT,
  STOP_WORD,
  type OutputMemory,
} from "./queue-layout.ts";
import type { WriterStart, WriterTexts } from "./output-writer.ts";

const WRITER_ENTRY = "./writer-entry.js";
const REST_MS = 5;
/** Time after which a writer that failed is started again (ms). */
const RESTART_MS = 1_000;
/** Time for the writer's thread to end (ms). It writes the last bytes within a second. */
const STOP_MS = 3_000;
const CHECK_MS = 10;
/** The thread holds little more than one batch for each stream. */
const LIMITS = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 64 };

/** Settings of the writer. */
interface WriterSettings {
  /** Where standard output and standard error go. */
  readonly descriptors?: readonly number[];
  /** Time for which the writer pauses after it has written something (ms). */
  readonly restMs?: number;
}

/** The writer's thread. */
export class OutputThread {
  /** The queue's memory, for the threads that write to it. */
  readonly memory: OutputMemory;
  readonly #entry = threadFile(WRITER_ENTRY, import.meta.url);
  readonly #start: WriterStart;
  readonly #words: Int32Array;
  readonly #streams: readonly (readonly RingConsumer[])[];
  #worker: Worker;
  /** Resolves when the thread has ended. */
  #ended: Promise<void> = Promise.resolve();
  #isRunning = false;
  #isStopped = false;

  constructor(
    memory: OutputMemory,
    texts: WriterTexts,
    { descriptors = DESCRIPTORS, restMs = REST_MS }: WriterSettings = {},
  ) {
    const views = makeRingViews(memory.shared);
    this.memory = memory;
    this.#start = { memory, texts, descriptors, restMs };
    this.#words = views.words;
    // Used only to look how much is left; the writer's thread reads the rings.
    this.#streams = [STDOUT, STDERR].map((stream) =>
      Array.from(
        { length: memory.producers },
        (_, producer) => new RingConsumer(views, outputRing(memory, producer, stream)),
      ),
    );
    this.#worker = this.#launch();
  }

  /**
   * Waits until everything that was queued is written, blocking the thread. Called before the
   * process ends.
   *
   * @param limitMs - maximum time to wait
   * @returns false if something is left: time is up, or nobody reads
   */
  flushNow(limitMs: number): boolean {
    const endMs = performance.now() + limitMs;
    let least = Number.POSITIVE_INFINITY;
    let movedMs = performance.now();
    for (;;) {
      const rounds = Atomics.load(this.#words, ROUNDS_WORD);
      this.#wake();
      const nowMs = performance.now();
      const { left, isBlocked } = this.#left();
      if (left === 0) return true;
      if (left < least) movedMs = nowMs;
      least = Math.min(least, left);
      const isStuck = isBlocked && nowMs - movedMs >= BLOCKED_MS;
      if (nowMs >= endMs || isStuck) return false;
      Atomics.wait(this.#words, ROUNDS_WORD, rounds, CHECK_MS);
    }
  }

  /** Writes what is left, unless nobody reads it, and ends the thread. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    Atomics.store(this.#words, STOP_WORD, 1);
    // A thread that has failed would only be started again after RESTART_MS.
    if (!this.#isRunning) this.#worker = this.#launch();
    this.#wake();
    const timer = setTimeout(() => void this.#worker.terminate(), STOP_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #launch(): Worker {
    const worker = new Worker(this.#entry, {
      workerData: this.#start,
      name: "simurgh output",
      // Without modules that users preload (`--import`): the thread has no event loop for them.
      execArgv: [],
      env: {},
      resourceLimits: LIMITS,
    });
    worker.unref();
    // Without a listener, an error would end the process. Nobody could read about it.
    worker.on("error", () => {});
    this.#isRunning = true;
    this.#ended = new Promise((resolve) => {
      worker.once("exit", () => {
        this.#isRunning = false;
        if (!this.#isStopped) setTimeout(() => this.#relaunch(), RESTART_MS).unref();
        resolve();
      });
    });
    return worker;
  }

  #relaunch(): void {
    if (!this.#isStopped) this.#worker = this.#launch();
  }

  #wake(): void {
    if (Atomics.exchange(this.#words, SLEEP_WORD, AWAKE) === AWAKE) return;
    Atomics.notify(this.#words, SLEEP_WORD);
  }

  /** Returns the bytes that are left in streams that have not failed. */
  #left(): { readonly left: number; readonly isBlocked: boolean } {
    let left = 0;
    let isBlocked = false;
    for (const [stream, rings] of this.#streams.entries()) {
      const state = Atomics.load(this.#words, STATE_WORD + stream);
      if (state === FAILED) continue;
      // The heads first: see the order in output-writer.
      for (const ring of rings) left += ring.usedBytes();
      left += Atomics.load(this.#words, PENDING_WORD + stream);
      isBlocked ||= state === BLOCKED;
    }
    return { left, isBlocked };
  }
}
