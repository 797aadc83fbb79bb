/**
 * Restarts shards, one at a time, while the others keep serving.
 *
 *   start a new thread --fails--> the old one keeps serving; the caller gets the error
 *     | ready
 *   the new thread replaces the old one in the rotation
 *     | sockets on their way to the old thread arrive
 *   the old thread closes its connections in batches, ends its channels, stops the app
 *     |
 *   the old thread ends, and its number is retired
 *
 * Runs on: main.
 * Full: further restarts wait in the order of their calls. A thread that does not end in time is
 *       abandoned, and the caller gets an error.
 */

import { makeError } from "../errors.ts";
import type { Logger } from "../log/logger.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { planDrain } from "./drain-plan.ts";
import type { MemberThread } from "./member-thread.ts";
import { pause, within } from "./time-limit.ts";

/** Counts of what a restart closed. */
export interface ShardRestart {
  readonly shard: number;
  /** Connections that were closed with 1012. */
  readonly connections: number;
  /** Channels that ended with these connections. */
  readonly channels: number;
}

/** Starts and ends threads for a restart; implemented by the supervisor. */
export interface RestartedThreads {
  /** Starts another thread of a shard. Resolves when it is ready. */
  launch(shard: number): Promise<MemberThread>;
  /** Replaces a shard's thread with a new one. Returns the old thread. */
  install(thread: MemberThread): MemberThread | undefined;
  /** Ends a thread. @returns false if it cannot be ended */
  end(thread: MemberThread): Promise<boolean>;
  /** Called after a launched thread was installed or has failed. */
  restartSettled(shard: number): void;
}

/** Time allowed for sockets in transit to a shard when it is removed from the rotation. */
export const SETTLE_MS = 100;
/** Additional time for a shard to report a drain that used up its whole time limit. */
export const ANSWER_MS = 1_000;

/** The restarts of a server. */
export class ShardRestarts {
  readonly #threads: RestartedThreads;
  readonly #options: ResolvedOptions;
  readonly #logger: Logger;
  #last: Promise<unknown> = Promise.resolve();
  #shard = -1;
  #isClosed = false;

  constructor(threads: RestartedThreads, options: ResolvedOptions, logger: Logger) {
    this.#threads = threads;
    this.#options = options;
    this.#logger = logger;
  }

  /** Reports whether a new thread of the shard has been launched but not yet installed. */
  isLaunching(shard: number): boolean {
    return this.#shard === shard;
  }

  /**
   * Restarts a shard.
   *
   * @throws the error that the new thread failed with; SIM_ERR_SHARD_BUSY, SIM_ERR_SERVER_CLOSED
   */
  async restart(shard: number): Promise<ShardRestart> {
    const restart = this.#last.then(async () => this.#restart(shard));
    this.#last = restart.catch(() => undefined);
    return restart;
  }

  /** Refuses further restarts. */
  close(): void {
    this.#isClosed = true;
  }

  async #restart(shard: number): Promise<ShardRestart> {
    if (this.#isClosed) throw closedError();
    this.#shard = shard;
    let old: MemberThread | undefined;
    try {
      const fresh = await this.#threads.launch(shard);
      old = this.#threads.install(fresh);
    } catch (error) {
      if (!this.#isClosed) this.#logger.log("shardNotRestarted", { shard, err: error });
      throw this.#isClosed ? closedError() : error;
    } finally {
      this.#shard = -1;
      this.#threads.restartSettled(shard);
    }
    const closed = old ? await this.#retire(old) : { connections: 0, channels: 0 };
    this.#logger.log("shardRestarted", { shard, ...closed });
    return { shard, ...closed };
  }

  async #retire(old: MemberThread): Promise<Omit<ShardRestart, "shard">> {
    const { drainMs, shutdownMs } = this.#options;
    await pause(SETTLE_MS);
    // The server is closing and drains this thread at its own pace.
    if (this.#isClosed) throw closedError();
    const { connections, channels } = old.stats();
    const { spanMs, ...plan } = planDrain(connections, this.#options);
    const limitMs = spanMs + drainMs + shutdownMs;
    const isDrained = await within(limitMs + ANSWER_MS, old.drain({ ...plan, isOfNode: false }));
    if (isDrained) await within(shutdownMs, old.finish());
    if (await this.#threads.end(old)) return { connections, channels };
    throw makeError(
      "SIM_ERR_SHARD_BUSY",
      `shard ${old.shard} must close its connections within ${limitMs} (ms) of its restart: the new thread serves, but the old one is blocked`,
    );
  }
}

/** Creates the error for calls after `close` or `drain`. */
export function closedError(state: "closed" | "drained" = "closed"): Error {
  return makeError("SIM_ERR_SERVER_CLOSED", `server must be open, got ${state}`);
}
