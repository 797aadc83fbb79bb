/**
 * Life cycle of the link to other nodes: a single thread that is replaced if it ends unexpectedly.
 *
 *   starting --ready--> serving --ended--> retiring --number is free--> starting
 *      |                                      ^                            |
 *      +--fails: the server fails to start    +------ failed, or ended ----+
 *
 * Without a link, the node is isolated: its broadcasts reach only its own subscribers. The next
 * thread notifies both sides that broadcasts were lost. If no further thread is started, this is
 * only logged.
 *
 * Runs on: main.
 * Full: a link that ends more than 5 times within a minute is not replaced; the node stays
 *       isolated.
 */

import type { Logger } from "../log/logger.ts";
import type { MemberThread } from "./member-thread.ts";
import type { RestartBound } from "./restart-bound.ts";

/** Starts the link's thread; implemented by the supervisor. */
export interface LinkThreads {
  /**
   * Starts a thread for the link; resolves when it is ready.
   *
   * @param isReplacement - whether an earlier thread has ended, so that broadcasts were lost
   */
  launchLink(isReplacement: boolean): Promise<MemberThread>;
}

/** Key of the link in the restart bound; shards count from 0. */
const LINK = -1;

/** Starts and replaces the link's thread. */
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
   * @throws the error that the thread failed with
   */
  async start(): Promise<void> {
    await this.#threads.launchLink(false);
    this.#hasServed = true;
  }

  /** Prevents further threads from being started. */
  close(): void {
    this.#isClosed = true;
  }

  /** Called when the thread has ended. */
  ended(thread: MemberThread): void {
    if (this.#hasServed) this.#logger.log("linkEnded", { err: thread.failure });
  }

  /** Called when every member has forgotten the ended thread. */
  retired(): void {
    if (this.#isClosed || !this.#hasServed) return;
    if (this.#bound.tryCount(LINK, performance.now())) void this.#replace();
    else this.#logger.log("linkGivenUp");
  }

  // If this fails, the thread ends and is retired, and `retired` tries the next one.
  async #replace(): Promise<void> {
    try {
      await this.#threads.launchLink(true);
      this.#logger.log("linkReplaced");
    } catch (error) {
      if (!this.#isClosed) this.#logger.log("linkFailed", { err: error });
    }
  }
}
