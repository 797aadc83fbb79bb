/**
 * Decides which shards get new connections.
 *
 *   enter --> in the rotation --overloaded, or stuck--> suspended --recovered--> in the rotation
 *                  |                                     |
 *                  +---------------release---------------+--> released, for good
 *
 * Runs on: main; one per server.
 * Owns: which threads take part in the rotation, and which of them are overloaded.
 * Order: a thread is removed from the listener before it is notified through `Life`, because it may then close
 *        its app. For the same reason, a released thread is never added again.
 * Full: if no thread is in the rotation, the listener answers with 503, and this is logged.
 */

import type { Logger } from "../log/logger.ts";
import type { Life } from "../memory/life.ts";
import type { NodeListener } from "../transport/engine/listener-port.ts";
import { Levelling, type LevelledThread } from "./levelling.ts";

/** A shard's thread. */
export interface RotatedThread extends LevelledThread {
  readonly member: number;
  readonly shard: number;
  readonly isStuck: boolean;
  readonly hasEnded: boolean;
}

/** The rotation of a server's shards. */
export class Rotation {
  readonly #listener: NodeListener;
  readonly #life: Life;
  readonly #logger: Logger;
  readonly #levelling: Levelling;
  /** Threads that take part. */
  readonly #threads = new Set<RotatedThread>();
  readonly #overloaded = new WeakSet<RotatedThread>();
  readonly #released = new WeakSet<RotatedThread>();

  constructor(listener: NodeListener, life: Life, logger: Logger) {
    this.#listener = listener;
    this.#life = life;
    this.#logger = logger;
    this.#levelling = new Levelling(listener, this.#threads);
  }

  /**
   * Adds a thread to the rotation, unless it was released.
   *
   * @param old - the thread that it replaces, which is released
   */
  enter(thread: RotatedThread, old?: RotatedThread): void {
    if (!this.#released.has(thread)) this.#threads.add(thread);
    this.update(thread);
    if (old) this.release(old);
    this.#levelling.begin(thread);
  }

  /** Sets whether a thread is too overloaded for new connections. */
  setOverloaded(thread: RotatedThread, isOverloaded: boolean): void {
    if (isOverloaded) this.#overloaded.add(thread);
    else this.#overloaded.delete(thread);
    if (!this.#threads.has(thread)) return;
    this.#logger.log(isOverloaded ? "shardWithdrawn" : "shardReturned", { shard: thread.shard });
    this.update(thread);
  }

  /** Adds or removes a thread that takes part. Called when `isStuck` has changed. */
  update(thread: RotatedThread): void {
    if (!thread.isReady || !this.#threads.has(thread)) return;
    if (!thread.isStuck && !this.#overloaded.has(thread)) {
      this.#listener.add(thread);
    } else if (this.#listener.has(thread)) {
      this.#listener.remove(thread);
      this.reportIfEmpty();
    }
  }

  /** Removes a thread for good, and notifies it that it gets no more connections. */
  release(thread: RotatedThread): void {
    this.#released.add(thread);
    this.#threads.delete(thread);
    this.#listener.remove(thread);
    if (!thread.hasEnded) this.#life.release(thread.member);
  }

  /** Logs if no thread is in the rotation. */
  reportIfEmpty(): void {
    if (this.#listener.size === 0) this.#logger.log("noShardInRotation");
  }
}
