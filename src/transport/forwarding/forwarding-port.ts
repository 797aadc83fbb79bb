/**
 * PORT: carries the records of forwarded requests between shards. Implemented by the shard, over its
 * exchange.
 *
 * Runs on: shard.
 */

/** The address of a shard in the cluster. */
export interface ShardAddress {
  readonly node: string;
  /** Number of the shard's member on that node. */
  readonly member: number;
}

/**
 * The connection to other shards. Records are never lost within a node, but may be lost between
 * nodes.
 */
export interface ForwardingPort {
  /** This shard's address. */
  readonly address: ShardAddress;
  /** Reports whether records can be sent to a node; always true for this node. */
  reaches(node: string): boolean;
  /**
   * Returns the number of times a member's number was retired on this node, or undefined if there
   * is no such member.
   */
  generationOf(member: number): number | undefined;
  /** Sends a copy of a record. @returns false if there was no room */
  send(to: ShardAddress, record: Uint8Array): boolean;
}
