/**
 * One presence on one shard: its definition, its options, and the parts of the shard that it uses.
 *
 * Runs on: shard. Types only.
 */

import type { Member } from "../pubsub/member.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { AnyCallbacks, PresenceContext, PresenceSettings } from "./definition.ts";

/** The parts of PubSub and its member that presences use. Tests use a fake network. */
export type PresencePubSub = Pick<
  PubSub,
  "subscribe" | "unsubscribe" | "count" | "broadcast" | "directBroadcast"
> & {
  readonly member: Pick<
    Member,
    "number" | "node" | "hasNodes" | "counters" | "logger" | "onRetired"
  >;
};

/** Whether an owner of presences is alive. A `stranger` is a value that cannot own presences. */
export type OwnerState = "alive" | "ended" | "stranger";

/** Data shared by all parts of a tracker. */
export interface ShardPresence {
  readonly name: string;
  readonly callbacks: AnyCallbacks;
  readonly settings: PresenceSettings;
  readonly context: PresenceContext;
  readonly pubsub: PresencePubSub;
  readonly ownerState: (owner: object) => OwnerState;
  /** Returns all owners of the same client, or undefined if an owner belongs to none. */
  readonly ownersOfClient: (owner: object) => readonly object[] | undefined;
  /** Returns the time of a monotonic clock (ms). */
  readonly now: () => number;
}
