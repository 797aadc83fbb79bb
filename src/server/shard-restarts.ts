/**
 * Restarts shards, one after the other, while the others serve.
 *
 *   launch a new thread --it fails--> the old one goes on, the caller is told why
 *     | ready
 *   the new one takes its place in the deal; the old one leaves it
 *     | sockets on their way to the old one arrive
 *   the old one closes its connections in batches, ends its channels, stops the app
 *     |
 *   its thread ends, its number is retired
 *
 * Runs on: main.
 * Full: one restart at a time: others wait, in the order they were asked for. A thread that does
 *       not end in time is left to itself, out of the deal; the caller is told.
 */

import { makeError } from "../errors.ts";
import type { Logger } from "../log/logger.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { planDrain } from "./drain-plan.ts";
import type { MemberThread } from "./member-thread.ts";
import { pause, within } from "./time-limit.ts";

/** What a restart closed. */
export interface ShardRestart {
  readonly shard: number;
  /** Connections that were closed with 1012. */
  readonly connections: number;
  /** Channels that ended with them. */
  readonly channels: number;
}

/** What a restart does with threads: the supervisor. */
export interface RestartedThreads {
  /** Starts a further thread of a shard; resolves when it is ready. */
  launch(shard: number): Promise<MemberThread>;
  /** Deals to a new thread, and no more to the old one, which it gives. */
  install(thread: MemberThread): MemberThread | undefined;
  /** Ends a thread; false where it cannot be ended. */
  end(thread: MemberThread): Promise<boolean>;
  /** Nobody is about to install a thread of this shard any more. */
  restartSettled(shard: number): void;
}

/** After a shard left the deal, sockets may still be on their way to it. */
export const SETTLE_MS = 100;
/** A shard that has used all of its time for a drain still has to say so. */
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

  /** True while a new thread of the shard is about to be installed. */
  isLaunching(shard: number): boolean {
    return this.#shard === shard;
  }

  /**
   * Restarts a shard.
   *
   * @throws what the new thread failed with; SIM_ERR_SHARD_BUSY, SIM_ERR_SERVER_CLOSED
   */
  async restart(shard: number): Promise<ShardRestart> {
    const restart = this.#last.then(async () => this.#restart(shard));
    this.#last = restart.catch(() => undefined);
    return restart;
  }

  /** Begins no more restarts. */
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
    // The server closes: it drains this thread too, and at its own pace.
    if (this.#isClosed) throw closedError();
    const { connections, channels } = old.stats();
    const { spanMs, ...plan } = planDrain(connections, this.#options);
    const limitMs = spanMs + drainMs + shutdownMs;
    const isDrained = await within(limitMs + ANSWER_MS, old.drain({ ...plan, isOfNode: false }));
    if (isDrained) await within(shutdownMs, old.finish());
    if (await this.#threads.end(old)) return { connections, channels };
    throw makeError(
      "SIM_ERR_SHARD_BUSY",
      `shard ${old.shard} must close its connections within ${limitMs} (ms) of its restart: the new thread serves, the old one holds its loop`,
    );
  }
}

/** The error of whoever asks too late. */
export function closedError(state: "closed" | "drained" = "closed"): Error {
  return makeError("SIM_ERR_SERVER_CLOSED", `server must be open, got ${state}`);
}
