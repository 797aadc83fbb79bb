/**
 * PORT: what carries records to the same transport on other shards. Implemented by the shard.
 *
 * Runs on: shard.
 */

import type { SessionPeer } from "./forwarding-peer.ts";

/** The way to the other shards. Within a node nothing is lost; on its way to another one it may be. */
export interface SessionWire {
  /** This shard. */
  readonly peer: SessionPeer;
  /** Tells whether there is a way to a node, this one included. */
  reaches(node: string): boolean;
  /** Gives how often a number was retired on this node; undefined: there is no such member. */
  generationOf(member: number): number | undefined;
  /** Sends a record, which is copied. @returns false where it was not taken: too much waits already */
  send(to: SessionPeer, record: Uint8Array): boolean;
}
