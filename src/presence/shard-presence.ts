/**
 * One presence on one shard: its definition and options, and what it uses of the shard.
 *
 * Runs on: shard. Types only.
 */

import type { Member } from "../pubsub/member.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { AnyCallbacks, PresenceContext, PresenceSettings } from "./definition.ts";

/** The shard's PubSub and its member, as presences use them. Tests replace them by a net. */
export type PresencePubSub = Pick<
  PubSub,
  "subscribe" | "unsubscribe" | "count" | "broadcast" | "directBroadcast"
> & {
  readonly member: Pick<
    Member,
    "number" | "node" | "hasNodes" | "counters" | "logger" | "onRetired"
  >;
};

/** Whether an owner of presences lives; a stranger cannot own any. */
export type OwnerState = "alive" | "ended" | "stranger";

/** What all parts of a tracker share. */
export interface ShardPresence {
  readonly name: string;
  readonly callbacks: AnyCallbacks;
  readonly settings: PresenceSettings;
  readonly context: PresenceContext;
  readonly pubsub: PresencePubSub;
  readonly ownerState: (owner: object) => OwnerState;
  /** Returns the monotonic time (ms). */
  readonly now: () => number;
}
