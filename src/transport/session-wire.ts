/**
 * PORT: what carries records to the same transport on another shard. Implemented by the shard.
 *
 * Runs on: shard.
 */

/** The way to the other shards. */
export interface SessionWire {
  /** Name of this node: of others no session is found here. */
  readonly node: string;
  /** Number of this shard's member. */
  readonly member: number;
  /** Gives how often a member's number was retired; undefined: there is no such member. */
  generationOf(member: number): number | undefined;
  /** Sends a record, which is copied. @returns false where it was not taken: too much waits already */
  send(to: number, record: Uint8Array): boolean;
}
