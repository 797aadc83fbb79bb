/**
 * What the presences of a shard need of it: PubSub, its channels, and a counter.
 *
 * Runs on: shard; one for each.
 */

import { Channel } from "../channel/channel.ts";
import { STATE } from "../channel/channel-state.ts";
import type { ShardContext } from "../channel/context.ts";
import type { Lane } from "../channel/lane.ts";
import type { PresenceWire } from "../presence/wire.ts";
import type { PubSub, Scope } from "../pubsub/pubsub.ts";
import type { Listener } from "../pubsub/registry.ts";
import type { NodeMemory } from "./control.ts";

/** What of a shard carries what presences say. */
export interface Broadcaster {
  readonly context: ShardContext;
  readonly pubsub: PubSub<Lane>;
  broadcast(topic: string, event: string, payload: unknown, scope: Scope): void;
  directBroadcast(node: string, topic: string, event: string, payload: unknown): void;
}

/** A shard, as its presences know it. */
export class ShardWire implements PresenceWire {
  readonly node: string;
  readonly member: number;
  readonly hasNodes: boolean;
  readonly onCount: (change: number) => void;
  readonly #shard: Broadcaster;

  constructor(
    memory: NodeMemory,
    member: number,
    shard: Broadcaster,
    onCount: (change: number) => void,
  ) {
    this.node = memory.nodeName;
    this.member = member;
    this.hasNodes = memory.link >= 0;
    this.onCount = onCount;
    this.#shard = shard;
  }

  subscribe(topic: string, listener: Listener): void {
    this.#shard.pubsub.subscribe(topic, listener);
  }

  unsubscribe(topic: string, listener: Listener): void {
    this.#shard.pubsub.unsubscribe(topic, listener);
  }

  count(topic: string): number {
    return this.#shard.pubsub.count(topic);
  }

  broadcast(topic: string, event: string, payload: object, scope: Scope): void {
    this.#shard.broadcast(topic, event, payload, scope);
  }

  directBroadcast(node: string, topic: string, event: string, payload: object): void {
    this.#shard.directBroadcast(node, topic, event, payload);
  }

  stateOf(owner: object): "alive" | "ended" | "stranger" {
    if (owner === this.#shard.context) return "alive";
    if (!(owner instanceof Channel)) return "stranger";
    return owner.state === STATE.closed ? "ended" : "alive";
  }
}
