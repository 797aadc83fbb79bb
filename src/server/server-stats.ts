/**
 * Result of `server.stats()`.
 *
 * Runs on: main. Types only.
 */

import type { SubscriptionIndexStats } from "../pubsub/subscription-index.ts";
import type { MemberStats } from "./member-stats.ts";

/** Counters of a server. */
export interface ServerStats {
  /**
   * By index of the shard. Includes both threads of a shard that is restarted, and totals of its
   * earlier threads. Undefined while a shard is replaced.
   */
  readonly shards: readonly (MemberStats | undefined)[];
  readonly main: MemberStats;
  /** The link to other nodes, since its thread started; undefined if there is none. */
  readonly link: MemberStats | undefined;
  /** Sums of all shards and main. */
  readonly total: MemberStats;
  /** Computed from the whole index each time it is read. */
  readonly index: SubscriptionIndexStats;
}
