/**
 * PORT: delivers frames to the subscribers of this thread. Implemented by the fastlane.
 *
 * Runs on: shard. Main has no such subscribers, only listeners.
 */

import type { Envelope } from "./envelope.ts";
import type { TopicEntry } from "./registry.ts";

/** Delivers broadcasts to the lanes of a topic. */
export interface Dispatcher<Lane> {
  /**
   * Delivers a broadcast.
   *
   * @param envelope - valid only during the call
   * @param from - the subscriber to exclude, if any
   */
  dispatch(entry: TopicEntry<Lane>, envelope: Envelope, from: object | undefined): void;

  /** Notifies the subscribers to a topic that broadcasts were lost on their way to this thread. */
  missed(entry: TopicEntry<Lane>): void;
}
