/**
 * What a shard gives to the app: its data, its number, and ways to reach all subscribers.
 *
 * Runs on: shard, which makes it; one object for each, the same for `start`, `stop`, routes and callbacks.
 */

/** The shard's context. `start` may put its own things on it. */
export interface ShardContext {
  /** What the host handed to `serve` as `data`, cloned. */
  readonly data: unknown;
  /** Index of this shard, from 0. */
  readonly shard: number;
  readonly shards: number;
  /**
   * True while the node takes clients: false until it listens, from the beginning of its drain on,
   * and while no shard is in the deal. What a health check is to be told.
   */
  readonly isReady: boolean;
  /** Secret that tokens are derived from. */
  readonly secretKeyBase: string;
  /** Broadcasts to all subscribers on all nodes. */
  broadcast(topic: string, event: string, payload?: unknown): void;
  /** Broadcasts to all subscribers on this node. */
  localBroadcast(topic: string, event: string, payload?: unknown): void;
  /** Broadcasts to all subscribers on one other node, or on this one by its own name. */
  directBroadcast(node: string, topic: string, event: string, payload?: unknown): void;
  /** Closes all connections of a socket id, on all nodes, with 1001. */
  disconnect(id: string): void;
  /** Subscribers that a topic has on this shard; on all of the node, ask the server. */
  subscribers(topic: string): number;
  [name: string]: unknown;
}
