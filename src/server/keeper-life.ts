/**
 * Life cycle of one keeper of histories: a thread that is replaced if it ends unexpectedly.
 *
 *   none --start--> serving --ended--> retiring --number is free--> starting --ready--> serving
 *                                          ^                           |
 *                                          +------ failed, or ended ---+
 *
 * What an ended keeper had kept is gone. All members tell the channels of its topics, and the next
 * thread does so again, since broadcasts between the two were lost.
 *
 * Runs on: main.
 * Full:    a keeper that ends more than 5 times within a minute is not replaced, and the server has
 *          failed.
 */

import type { Logger } from "../log/logger.ts";
import type { MemberThread } from "./member-thread.ts";
import type { RestartBound } from "./restart-bound.ts";

/** The dependencies of a KeeperLife. */
export interface KeeperLifeParts {
  /** Starts a thread; resolves when it is ready. */
  readonly launch: (isReplacement: boolean) => Promise<MemberThread>;
  readonly bound: RestartBound;
  /** Key of the keeper in the bound. */
  readonly key: number;
  readonly logger: Logger;
  /** Called when it is not replaced any more. */
  readonly onGivenUp: () => void;
}

/** Starts and replaces one keeper's thread. */
export class KeeperLife {
  readonly #parts: KeeperLifeParts;
  #hasServed = false;
  #isClosed = false;

  constructor(parts: KeeperLifeParts) {
    this.#parts = parts;
  }

  /** Starts the first thread. @throws the error that the thread failed with */
  async start(): Promise<void> {
    await this.#parts.launch(false);
    this.#hasServed = true;
  }

  /** Prevents further threads from being started. */
  close(): void {
    this.#isClosed = true;
  }

  /** Called when the thread has ended. */
  ended(thread: MemberThread): void {
    if (this.#hasServed) this.#parts.logger.log("keeperEnded", { err: thread.failure });
  }

  /** Called when every member has forgotten the ended thread. */
  retired(): void {
    if (this.#isClosed || !this.#hasServed) return;
    const { bound, key, logger, onGivenUp } = this.#parts;
    if (bound.tryCount(key, performance.now())) {
      void this.#replace();
      return;
    }
    logger.log("keeperGivenUp");
    onGivenUp();
  }

  // If this fails, the thread ends and is retired, and `retired` tries the next one.
  async #replace(): Promise<void> {
    const { launch, logger } = this.#parts;
    try {
      await launch(true);
      logger.log("keeperReplaced");
    } catch (error) {
      if (!this.#isClosed) logger.log("keeperFailed", { err: error });
    }
  }
}
