/**
 * What all parts of a presence share on one shard: definition, options, and the shard's services.
 *
 * Runs on: shard. Types only.
 */

import type { Member } from "../pubsub/member.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { AnyCallbacks, PresenceContext, PresenceSettings } from "./definition.ts";

/** The shard's PubSub and member, as presences use them. Tests replace them by a simulated network. */
export type PresencePubSub = Pick<
  PubSub,
  "subscribe" | "unsubscribe" | "count" | "broadcast" | "directBroadcast"
> & {
  readonly member: Pick<
    Member,
    "number" | "node" | "hasNodes" | "counters" | "logger" | "onRetired"
  >;
};

/** State of an owner of presences; a stranger is not an owner. */
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
