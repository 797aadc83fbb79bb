/**
 * Where a thread is in the history of a topic to which it subscribes.
 *
 *   unknown --first broadcast, or an answer--> level --lapped, or a hole--> behind --last answer--> level
 *      ^                                         |                            |
 *      +------------- burned, or the keeper ended: all subscribers are told --+
 *
 *   unknown   the next broadcast is delivered, whatever its position
 *   level     everything up to `delivered` has been delivered
 *   behind    what follows `delivered` is fetched again; live broadcasts are ignored meanwhile, since
 *             the last answer contains them
 *
 * Runs on: main, shard; one for each kept topic with subscribers.
 */

import type { Pull } from "./keeping.ts";
import type { TopicHistory } from "./kept-topics.ts";

/** Called when a topic is level again, or its subscribers were told that they missed broadcasts. */
export type LevelWaiter = () => void;

/** A thread's place in a topic. Written by PubSub. */
export class KeptEntry {
  readonly history: TopicHistory;
  /** The epoch of `delivered`, once an answer has told it. */
  epoch: string | undefined = undefined;
  /** Position up to which everything has been delivered; 0 if it is unknown. */
  delivered = 0;
  /** True while the keeper is asked for the current position. */
  isLearning = false;
  /** The question for what follows `delivered`, while the thread is behind. */
  fetching: Pull | undefined = undefined;
  /** Subscribers that wait until the thread is level. */
  readonly waiters = new Set<LevelWaiter>();

  constructor(history: TopicHistory) {
    this.history = history;
  }

  /** Calls all waiters, once each. */
  wake(): void {
    const waiters = [...this.waiters];
    this.waiters.clear();
    for (const waiter of waiters) waiter();
  }
}
