/**
 * PORT: carries records between shards, for requests that one forwards to another. Implemented by the
 * shard, over its exchange.
 *
 * Runs on: shard.
 */

/** Where a shard is. */
export interface ShardAddress {
  readonly node: string;
  /** Number of its member there. */
  readonly member: number;
}

/** The way to other shards. Within a node nothing is lost; on the way to another node it may be. */
export interface ForwardingPort {
  /** Address of this shard. */
  readonly address: ShardAddress;
  /** Reports whether there is a way to a node, this one included. */
  reaches(node: string): boolean;
  /** Returns how often a number was retired on this node; undefined: there is no such member. */
  generationOf(member: number): number | undefined;
  /** Sends a record, which is copied. @returns false if it was refused: too much waits already */
  send(to: ShardAddress, record: Uint8Array): boolean;
}
