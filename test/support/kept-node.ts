/**
 * A node whose shards and keeper are on the test's thread: real rings and a real index, drained turn by turn.
 *
 * Runs on: the test's thread.
 */

import { Keeper } from "../../src/history/keeper.ts";
import { PublishKeys } from "../../src/history/publish-keys.ts";
import { SlabStore } from "../../src/history/slab-store.ts";
import type { HistoryLimits, HistoryStore } from "../../src/history/store.ts";
import { Logger } from "../../src/log/logger.ts";
import { Counters } from "../../src/memory/counters.ts";
import { Envelope } from "../../src/pubsub/envelope.ts";
import { GAP_SLOT } from "../../src/pubsub/gap.ts";
import { answerLimitsOf, Keeping } from "../../src/pubsub/keeping.ts";
import { KeptTopics, type TopicHistory } from "../../src/pubsub/kept-topics.ts";
import { Member } from "../../src/pubsub/member.ts";
import type { PubSub } from "../../src/pubsub/pubsub.ts";
import { TestNode, type NodeSizes } from "./members.ts";

/** Offset of a topic in which nothing has been kept. */
export const BASE = 1_000_000_000_000;

/** A message that a keeper has numbered. */
export interface NumberedMessage {
  readonly event: string;
  readonly payload: unknown;
}

/** What a keeper has done with a topic: the plain list that everything is compared with. */
export class TopicModel {
  epoch = "";
  /** By offset, from BASE + 1 on; undefined if the offset was burned. */
  readonly messages: (NumberedMessage | undefined)[] = [];

  get head(): number {
    return BASE + this.messages.length;
  }

  at(offset: number): NumberedMessage | undefined {
    return this.messages[offset - BASE - 1];
  }

  /** Reports whether all messages after an offset were numbered, and are among the last `size`. */
  isWhole(after: number, size: number): boolean {
    const rest = this.messages.slice(after - BASE);
    return !rest.includes(undefined) && rest.length <= size;
  }
}

/** The sizes of a node, and what it keeps. */
export interface KeptNodeOptions extends NodeSizes {
  readonly pattern?: string;
  readonly history?: Partial<TopicHistory>;
}

const KEEPER = 3;
const SILENT = new Logger("silent");

/** A node with a keeper. */
export class KeptNode {
  readonly node: TestNode;
  readonly history: TopicHistory;
  /** What the keeper has numbered, by topic. Begins again if the keeper is replaced. */
  models = new Map<string, TopicModel>();
  member: Member;
  keeper: Keeper;
  #store: HistoryStore;
  readonly #kept: KeptTopics;
  readonly #pubsubs: PubSub[] = [];
  nowMs = 1_800_000_000_000;

  constructor({ pattern = "room:*", history = {}, ...sizes }: KeptNodeOptions = {}) {
    this.node = new TestNode({ members: 4, keepers: [KEEPER], ...sizes });
    this.history = { size: 20, ttlMs: 1_000_000, maxBytes: 1_000_000, ephemeral: [], ...history };
    this.#kept = new KeptTopics([[{ pattern, history: this.history }]]);
    this.member = this.#makeMember();
    this.#store = this.#makeStore();
    this.keeper = this.#makeKeeper();
    this.#start(false);
  }

  get store(): HistoryStore {
    return this.#store;
  }

  /** Makes a thread's PubSub know the keeper. */
  join(pubsub: PubSub<unknown>): void {
    pubsub.keep(
      new Keeping(pubsub.member, this.#kept, {
        ...this.node.options,
        controlTimeoutMs: 5_000,
      }),
    );
    this.#pubsubs.push(pubsub as PubSub);
  }

  model(topic: string): TopicModel {
    let model = this.models.get(topic);
    if (!model) this.models.set(topic, (model = new TopicModel()));
    model.epoch = this.#store.epoch(topic) ?? "";
    return model;
  }

  /** Handles what members have written to the keeper. */
  drain(limit?: number): void {
    this.member.exchange.drainNow(limit);
  }

  /** Ends the keeper, and starts another one with the same number, as main does. */
  replace(): void {
    const [main] = this.#pubsubs;
    if (!main) throw new Error("a member must have joined");
    main.member.index.clearMember(KEEPER);
    for (const pubsub of this.#pubsubs) pubsub.member.retire(KEEPER, false);
    main.member.exchange.resetMember(KEEPER);
    this.keeper.stop();
    this.models = new Map();
    this.member = this.#makeMember();
    this.#store = this.#makeStore();
    this.keeper = this.#makeKeeper();
    this.#start(true);
  }

  /** Stops all timers. */
  stop(): void {
    this.keeper.stop();
    for (const pubsub of this.#pubsubs) pubsub.keeping?.stop();
  }

  #start(isReplacement: boolean): void {
    this.member.index.add(GAP_SLOT);
    this.member.attach(this.keeper);
    this.keeper.start(isReplacement);
  }

  #makeMember(): Member {
    const { memory, options, counters } = this.node;
    const own = new Counters(counters, KEEPER);
    return new Member({ memory, member: KEEPER, counters: own, logger: SILENT, options });
  }

  #makeKeeper(): Keeper {
    const { exchange, index, hashSeed, counters } = this.member;
    return new Keeper({
      post: exchange,
      hashSeed,
      slotOf: (hash) => index.slotOf(hash),
      kept: this.#kept,
      store: this.#store,
      maxAnswerBytes: answerLimitsOf(this.node.options, this.member.members).maxAnswerBytes,
      keys: new PublishKeys(100_000),
      counters,
      logger: SILENT,
      now: () => this.nowMs,
    });
  }

  /** A store that notes in the models what is numbered. */
  #makeStore(): HistoryStore {
    const store = new SlabStore({ maxBytes: 4_000_000, seed: 1, idleMs: 1_000_000 });
    const envelope = new Envelope();
    const append = store.append.bind(store);
    const burn = store.burn.bind(store);
    store.append = (topic, limits, bytes, nowMs): number | undefined => {
      const offset = append(topic, limits, bytes, nowMs);
      if (offset === undefined) return undefined;
      envelope.read(bytes, 0, bytes.length);
      this.model(topic).messages.push({ event: envelope.event(), payload: envelope.payload() });
      return offset;
    };
    store.burn = (topic: string, limits: HistoryLimits, nowMs: number): number | undefined => {
      this.model(topic).messages.push(undefined);
      return burn(topic, limits, nowMs);
    };
    return store;
  }
}
