/**
 * What `server.stats()` gives.
 *
 * Runs on: main. Types only.
 */

import type { SubscriptionIndexStats } from "../pubsub/subscription-index.ts";
import type { MemberStats } from "./member-stats.ts";

/** What a server says of itself. */
export interface ServerStats {
  /**
   * By index of the shard, both threads of one that is restarted together, and totals of those it
   * had before; undefined while one is replaced.
   */
  readonly shards: readonly (MemberStats | undefined)[];
  readonly main: MemberStats;
  /** The link to other nodes, since its thread began; undefined without one. */
  readonly link: MemberStats | undefined;
  /** Sums over all shards, and main. */
  readonly total: MemberStats;
  /** Counted when it is read, and each time anew: the index is gone through as a whole. */
  readonly index: SubscriptionIndexStats;
}
