/**
 * What main does about a shard whose event loop is blocked: logs what blocks it, and ends that if the shard must
 * close.
 *
 *   stuck --asked for its stack--> answered, or late --> logged
 *     --its loop turns--> its session with the inspector is released
 *     --it must close: the node drains, or the shard is restarted--> what it runs is ended, as soon as it can be
 *                                                                    interrupted; and again if it stays stuck
 *
 * Runs on: main.
 * Order: the end is reported after the beginning, which waits for the stack.
 */

import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import { readRunning, type RunningCallback } from "../memory/running.ts";
import type { Logger } from "../log/logger.ts";
import { telemetry } from "../telemetry.ts";
import { stackOf, terminate, type Termination } from "./thread-inspector.ts";

/** A shard's thread. */
export interface StuckThread {
  readonly member: number;
  readonly shard: number;
  readonly threadId: number;
  readonly isStuck: boolean;
  readonly hasEnded: boolean;
}

/** The dependencies of StuckShards. */
export interface StuckShardsParts {
  /** The notes of running callbacks. */
  readonly running: SharedArrayBuffer;
  readonly stallMs: number;
  /** Main's counters. */
  readonly counters: Counters;
  readonly logger: Logger;
}

/** How long a stuck thread may take to show its stack. */
const STACK_MS = 500;
/** Shortest time between two ends on a thread. */
const REPEAT_MS = 400;

/** The stuck shards of a server. */
export class StuckShards {
  readonly #parts: StuckShardsParts;
  /** Threads whose callbacks were ended. */
  readonly #ended = new Map<StuckThread, Termination>();
  /** Resolves when it has been reported that a thread is stuck. */
  readonly #reported = new WeakMap<StuckThread, Promise<void>>();

  constructor(parts: StuckShardsParts) {
    this.#parts = parts;
  }

  /** Reports what holds a thread. */
  begin(thread: StuckThread): void {
    this.#parts.counters.add(COUNTER.stuckShards);
    this.#reported.set(thread, this.#reportBegin(thread));
  }

  /** A thread turns again, or has ended. */
  end(thread: StuckThread, forMs: number): void {
    this.release(thread);
    this.#parts.counters.add(COUNTER.stuckShards, -1);
    void this.#reportEnd(thread, forMs);
  }

  /** Resolves when it has been reported that a thread is stuck. */
  async reported(thread: StuckThread): Promise<void> {
    await this.#reported.get(thread);
  }

  /**
   * Ends what a thread runs. Call it again if the thread still does not turn: it then does nothing unless the thread has
   * had time to show that it turns, since otherwise it could end something else.
   */
  endCallback(thread: StuckThread): void {
    const ended = this.#ended.get(thread);
    if (ended) {
      if (ended.ageMs >= REPEAT_MS) ended.repeat();
      return;
    }
    const { shard } = thread;
    this.#parts.logger.log("callbackEnded", { shard, ...this.runningOn(thread) });
    const termination = terminate(thread.threadId);
    if (termination) this.#ended.set(thread, termination);
  }

  /** Detaches from a thread whose callback was ended, or that has ended itself. */
  release(thread: StuckThread): void {
    this.#ended.get(thread)?.release();
    this.#ended.delete(thread);
  }

  /** Returns the callback that a thread runs, also if it has died. */
  runningOn(thread: StuckThread): RunningCallback | undefined {
    return readRunning(this.#parts.running, thread.member);
  }

  async #reportBegin({ shard, member, threadId }: StuckThread): Promise<void> {
    const { running, stallMs, logger } = this.#parts;
    const before = readRunning(running, member);
    const stack = await stackOf(threadId, STACK_MS);
    const what = { ...before, stack };
    logger.log("shardStuck", { shard, forMs: stallMs, ...what });
    this.#publish({ shard, isStuck: true, forMs: stallMs, ...what });
  }

  async #reportEnd(thread: StuckThread, forMs: number): Promise<void> {
    await this.#reported.get(thread);
    const { shard, hasEnded } = thread;
    if (!hasEnded) this.#parts.logger.log("shardTurns", { shard, forMs });
    this.#publish({ shard, isStuck: false, forMs });
  }

  #publish(event: object): void {
    const { shard_stuck: channel } = telemetry;
    if (channel.hasSubscribers) channel.publish(event);
  }
}
