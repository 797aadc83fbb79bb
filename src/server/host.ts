/**
 * The main thread's member of the exchange, through which the host broadcasts and subscribes.
 *
 * Runs on: main.
 */

import { TopicWriters, type OutgoingSchemas } from "../endpoint/outgoing-schemas.ts";
import type { Logger } from "../log/logger.ts";
import { watchBuffers, type BufferWatch } from "../memory/buffer-watch.ts";
import { Counters } from "../memory/counters.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { Keeping, type KeptAt } from "../pubsub/keeping.ts";
import type { KeptTopics } from "../pubsub/kept-topics.ts";
import { Member } from "../pubsub/member.ts";
import {
  broadcastTo,
  checkBroadcastOptions,
  HOST_OPTIONS,
  keyOf,
  type BroadcastOptions,
  type PublishOptions,
} from "../pubsub/broadcast-options.ts";
import { PubSub } from "../pubsub/pubsub.ts";
import type { NodeMemory } from "../shard/control.ts";
import { MAIN_MEMBER } from "./memory-plan.ts";

/** Main's member and its PubSub. */
export class Host {
  readonly member: Member;
  readonly pubsub: PubSub;
  readonly #buffers: BufferWatch;
  readonly #options: ResolvedOptions;
  #writers = new TopicWriters([]);

  constructor(memory: NodeMemory, options: ResolvedOptions, logger: Logger) {
    const counters = new Counters(memory.counters, MAIN_MEMBER);
    this.#options = options;
    this.member = new Member({ memory, member: MAIN_MEMBER, counters, logger, options });
    this.pubsub = new PubSub(this.member);
    this.member.start(this.pubsub);
    this.#buffers = watchBuffers({
      memory: memory.buffers,
      member: MAIN_MEMBER,
      counters,
      logger,
      maxBufferBytes: options.maxBufferBytes,
      sources: [this.member.exchange],
    });
  }

  /** Sets which topics are kept. Called once, before the server listens. */
  keep(kept: KeptTopics): void {
    if (kept.isEmpty) return;
    this.pubsub.keep(new Keeping(this.member, kept, this.#options));
  }

  /** Stops receiving records. */
  stop(): void {
    this.pubsub.keeping?.stop();
    this.#buffers.stop();
    this.member.stop();
  }

  /** Sets the schemas for events that channels send, as declared by the newest shard. */
  setOutgoing(outgoing: readonly (readonly OutgoingSchemas[])[]): void {
    this.#writers = new TopicWriters(outgoing);
  }

  broadcast(
    topic: string,
    event: string,
    payload: unknown = {},
    options: BroadcastOptions | undefined,
  ): void {
    checkBroadcastOptions(options, HOST_OPTIONS);
    const written = this.#writers.written(topic, event, payload);
    broadcastTo(this.pubsub, topic, event, written, options);
  }

  async publish(
    topic: string,
    event: string,
    payload: unknown = {},
    options: PublishOptions = {},
  ): Promise<KeptAt> {
    const key = keyOf(options);
    return this.pubsub.publish(topic, event, this.#writers.written(topic, event, payload), key);
  }
}
