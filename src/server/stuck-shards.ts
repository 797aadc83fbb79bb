/**
 * What main does about a shard whose event loop stands still: removes it from the rotation, says what
 * holds it, and ends that if the shard must close.
 *
 *   stuck --removed from the rotation--> asked for its stack --answered, or late--> logged
 *     --its loop turns--> in the rotation again
 *     --the node closes, or the shard is restarted--> what it runs is ended, as soon as it can be interrupted
 *
 * Runs on: main.
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

/** The stuck shards of a server. */
export class StuckShards {
  readonly #parts: StuckShardsParts;
  /** Threads whose callbacks were ended. */
  readonly #ended = new Map<StuckThread, Termination>();

  constructor(parts: StuckShardsParts) {
    this.#parts = parts;
  }

  /** Says what holds a thread. */
  async begin(thread: StuckThread): Promise<void> {
    const { running, stallMs, counters, logger } = this.#parts;
    counters.add(COUNTER.stuckShards);
    const { shard, member, threadId } = thread;
    const before = readRunning(running, member);
    const stack = await stackOf(threadId, STACK_MS);
    const what = { ...before, stack };
    logger.log("shardStuck", { shard, forMs: stallMs, ...what });
    this.#publish({ shard, isStuck: true, forMs: stallMs, ...what });
  }

  /** A thread turns again, or has ended. */
  end(thread: StuckThread, forMs: number): void {
    this.release(thread);
    const { counters, logger } = this.#parts;
    counters.add(COUNTER.stuckShards, -1);
    const { shard } = thread;
    logger.log("shardTurns", { shard, forMs });
    this.#publish({ shard, isStuck: false, forMs });
  }

  /** Ends what a thread runs. Call it again if the thread still does not turn. */
  endCallback(thread: StuckThread): void {
    const ended = this.#ended.get(thread);
    if (ended) {
      ended.repeat();
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

  #publish(event: object): void {
    const { shard_stuck: channel } = telemetry;
    if (channel.hasSubscribers) channel.publish(event);
  }
}
