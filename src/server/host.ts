/**
 * The main thread's member of the exchange, with which the host broadcasts and subscribes.
 *
 * Runs on: main.
 */

import type { Logger } from "../log/logger.ts";
import { Counters } from "../memory/counters.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { checkUsersTopic } from "../protocol/broadcast-encoder.ts";
import { Member } from "../pubsub/member.ts";
import { PubSub, type Scope } from "../pubsub/pubsub.ts";
import type { NodeMemory } from "../shard/control.ts";
import { MAIN_MEMBER } from "./memory-plan.ts";

/** Main's member and its PubSub. */
export class Host {
  readonly member: Member;
  readonly pubsub: PubSub;

  constructor(memory: NodeMemory, options: ResolvedOptions, logger: Logger) {
    const counters = new Counters(memory.counters, MAIN_MEMBER);
    this.member = new Member({ memory, member: MAIN_MEMBER, counters, logger, options });
    this.pubsub = new PubSub(this.member);
    this.member.start(this.pubsub);
  }

  broadcast(topic: string, event: string, payload: unknown, scope: Scope): void {
    checkUsersTopic(topic);
    this.pubsub.broadcast(topic, event, payload ?? {}, scope);
  }

  directBroadcast(node: string, topic: string, event: string, payload: unknown): void {
    checkUsersTopic(topic);
    this.pubsub.directBroadcast(node, topic, event, payload ?? {});
  }
}
