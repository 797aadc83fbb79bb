/**
 * A shard that may have long-poll sessions, of this node or of another.
 *
 * Runs on: shard. Pure.
 */

/** Where a shard is. */
export interface SessionPeer {
  readonly node: string;
  /** Number of its member there. */
  readonly member: number;
}

/** Tells whether two are one shard. */
export function isSamePeer(a: SessionPeer, b: SessionPeer): boolean {
  return a.member === b.member && a.node === b.node;
}
