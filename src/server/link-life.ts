/**
 * The life of the link to other nodes: one thread at a time, and another where it ends by itself.
 *
 *   starting --ready--> serving --ended--> retiring --its number is free--> starting
 *      |                                      ^                                |
 *      +--fails: so does the server           +------- failed, or ended -------+
 *
 * Meanwhile the node is alone: what it broadcasts reaches its own subscribers and no other node.
 * The next thread tells both sides that they missed something; after the last one only the log does.
 *
 * Runs on: main.
 * Full: a link that ends more than 5 times within a minute is given up, and the node stays alone.
 */

import type { Logger } from "../log/logger.ts";
import type { MemberThread } from "./member-thread.ts";
import type { RestartBound } from "./restart-bound.ts";

/** Who starts the link's thread: the supervisor. */
export interface LinkThreads {
  /**
   * Starts a thread for the link; resolves when it is ready.
   *
   * @param isReplacement - whether there was one before, without which broadcasts did not cross
   */
  launchLink(isReplacement: boolean): Promise<MemberThread>;
}

/** What the bound counts it as: shards count from 0. */
const LINK = -1;

/** The link's threads, one after the other. */
export class LinkLife {
  readonly #threads: LinkThreads;
  readonly #bound: RestartBound;
  readonly #logger: Logger;
  #hasServed = false;
  #isClosed = false;

  constructor(threads: LinkThreads, bound: RestartBound, logger: Logger) {
    this.#threads = threads;
    this.#bound = bound;
    this.#logger = logger;
  }

  /**
   * Starts the first thread.
   *
   * @throws what it failed with
   */
  async start(): Promise<void> {
    await this.#threads.launchLink(false);
    this.#hasServed = true;
  }

  /** Starts no more threads. */
  close(): void {
    this.#isClosed = true;
  }

  /** Is told that the thread has ended. */
  ended(thread: MemberThread): void {
    if (this.#hasServed) this.#logger.log("linkEnded", { err: thread.failure });
  }

  /** Is told that every member has forgotten the thread that ended. */
  retired(): void {
    if (this.#isClosed || !this.#hasServed) return;
    if (this.#bound.tryCount(LINK, performance.now())) void this.#replace();
    else this.#logger.log("linkGivenUp");
  }

  // One that fails ends, is retired as well, and so the next is tried.
  async #replace(): Promise<void> {
    try {
      await this.#threads.launchLink(true);
      this.#logger.log("linkReplaced");
    } catch (error) {
      if (!this.#isClosed) this.#logger.log("linkFailed", { err: error });
    }
  }
}
