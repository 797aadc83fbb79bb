/**
 * The result of `server.stats()`.
 *
 * Runs on: main. Types only.
 */

import type { SubscriptionIndexStats } from "../pubsub/subscription-index.ts";
import type { EngineStats } from "./server-engine.ts";
import type { MemberStats } from "./member-stats.ts";
import type { TransportStats } from "./transport-stats.ts";

/** Counters of a server. */
export interface ServerStats {
  /** The engine that runs. */
  readonly engine: EngineStats;
  /**
   * Counters by shard, including the totals of its ended threads. While a shard is being restarted,
   * both of its threads are counted. Undefined while a shard that has ended is being replaced.
   */
  readonly shards: readonly (MemberStats | undefined)[];
  readonly main: MemberStats;
  /** Counters of the link to other nodes since its thread started; undefined without a link. */
  readonly link: MemberStats | undefined;
  /**
   * Counters of the threads that keep histories, since they started; undefined if no channel declares
   * a history.
   */
  readonly history: MemberStats | undefined;
  /**
   * What the custom transports measure (`host.measure`), by transport and by name, such as
   * `transports.postgres.lagMs.total`. A transport without figures is missing.
   */
  readonly transports: TransportStats;
  /** The combined counters of all shards and main. */
  readonly total: MemberStats;
  /** Statistics of the subscription index. Each read scans the whole index. */
  readonly index: SubscriptionIndexStats;
}
