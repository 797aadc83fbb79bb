/**
 * PORT: how the presences of a shard reach others, and what they know of those who track.
 *
 * Runs on: shard.
 */

import type { Scope } from "../pubsub/pubsub.ts";
import type { Listener } from "../pubsub/registry.ts";

/** The shard around its presences. */
export interface PresenceWire {
  /** Name of this node, and number of this shard in its exchange. */
  readonly node: string;
  readonly member: number;
  /** Whether there can be other nodes. */
  readonly hasNodes: boolean;

  /** Hears a topic from now on; one that broadcasts there hears itself. */
  subscribe(topic: string, listener: Listener): void;
  unsubscribe(topic: string, listener: Listener): void;
  /** Subscribers of a topic on this thread. */
  count(topic: string): number;

  /** Broadcasts. @throws SIM_ERR_PAYLOAD where JSON cannot write the payload */
  broadcast(topic: string, event: string, payload: object, scope: Scope): void;
  /** Broadcasts to the subscribers of one other node. */
  directBroadcast(node: string, topic: string, event: string, payload: object): void;

  /** Says of what would own a presence whether it lives, or what it is that never did. */
  stateOf(owner: object): "alive" | "ended" | "stranger";
  /** Called with +1 and -1 as presences are tracked here and leave. */
  onCount(change: number): void;
}
