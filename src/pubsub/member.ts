/**
 * A member: one thread's place in its node, through which the other threads reach it.
 *
 *   number     finds the member's bit in the index, its rings, its doorbell and its counters
 *   index      which members may have subscribers to a topic
 *   exchange   records to and from the other members
 *
 * A `PubSub` on main and shards, and a `Link` on the link, handle the records.
 *
 * Runs on: main, shard, link; one for each.
 * Order:   a number can be reused only when no member holds anything from its last owner. When the
 *          thread of member m has ended, (1) main clears m's bits in the index; (2) main calls
 *          `retire(m)` and tells the other members, which do the same and answer; (3) when all have
 *          answered, main empties m's rings and raises its generation (`Exchange.resetMember`).
 */

import type { Logger } from "../log/logger.ts";
import type { Counters } from "../memory/counters.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { NO_MEMBER, type ExchangeMemory } from "./exchange-layout.ts";
import { Exchange, type ExchangeHandler } from "./exchange.ts";
import type { CoalescingWindow } from "./holding-windows.ts";
import type { SubscriptionIndexLayout } from "./subscription-index-layout.ts";
import { SubscriptionIndex } from "./subscription-index.ts";

/** State shared by all members of a node. Can be sent to a worker unchanged. */
export interface MemberMemory {
  readonly exchange: ExchangeMemory;
  readonly index: SharedArrayBuffer;
  readonly indexLayout: SubscriptionIndexLayout;
  /** Seed of the topic hash. */
  readonly hashSeed: number;
  /** Number of the link's member; -1 if the node has no link. */
  readonly link: number;
  /** Numbers of the members that keep histories. */
  readonly keepers: readonly number[];
  /** Name of this node in its cluster. */
  readonly nodeName: string;
}

/** The dependencies of a Member. */
export interface MemberOptions {
  readonly memory: MemberMemory;
  readonly member: number;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly options: Pick<ResolvedOptions, "overflowBytes" | "overflowTotalBytes">;
  /** If given, other members are woken for broadcasts at the end of this window. */
  readonly window?: CoalescingWindow | undefined;
}

/** One thread's place in its node. */
export class Member {
  readonly number: number;
  /** Name of this node in its cluster. */
  readonly node: string;
  /** Number of the member that links this node to others, or NO_MEMBER. */
  readonly link: number;
  /** Number of members of the node, whether or not they have threads. */
  readonly members: number;
  /** Numbers of the members that keep histories, of which each keeps a part of the topics. */
  readonly keepers: readonly number[];
  /** How often the number of this member had been retired when it began. */
  readonly generation: number;
  /** Seed of the topic hash, the same for all members of the node. */
  readonly hashSeed: number;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly index: SubscriptionIndex;
  readonly exchange: Exchange;
  readonly #retireTasks: ((member: number) => void)[] = [];
  #handler: ExchangeHandler | undefined = undefined;

  constructor({ memory, member, counters, logger, options, window }: MemberOptions) {
    this.number = member;
    this.node = memory.nodeName;
    this.link = memory.link;
    this.members = memory.exchange.members;
    this.keepers = memory.keepers;
    this.generation = Atomics.load(new Int32Array(memory.exchange.generations), member);
    this.hashSeed = memory.hashSeed;
    this.counters = counters;
    this.logger = logger;
    this.index = new SubscriptionIndex(memory.index, memory.indexLayout, member);
    this.exchange = new Exchange({
      memory: memory.exchange,
      member,
      index: this.index,
      counters,
      logger,
      options,
      window,
    });
  }

  /** True if there can be other nodes. */
  get hasNodes(): boolean {
    return this.link !== NO_MEMBER;
  }

  /** Sets the handler, but passes it no records yet. From now on members can be retired. */
  attach(handler: ExchangeHandler): void {
    this.#handler = handler;
    this.exchange.attach(handler);
  }

  /** Starts passing records to a handler. */
  start(handler: ExchangeHandler): void {
    this.#handler = handler;
    this.exchange.start(handler);
  }

  /** Stops passing records on, and removes this member's subscriptions from the index. */
  stop(): void {
    this.exchange.stop();
    this.index.clear();
  }

  /** Calls a task for each member that is retired, after all its records have been delivered. */
  onRetired(task: (member: number) => void): void {
    this.#retireTasks.push(task);
  }

  /**
   * Forgets another member, whose thread has ended: delivers the records that it had written, and
   * drops the records waiting for it.
   *
   * @param hasLost - true if the member ended with unsent records. Then all its slots count as
   *   lapped
   */
  retire(member: number, hasLost: boolean): void {
    this.exchange.drainFrom(member);
    this.exchange.forget(member);
    for (const task of this.#retireTasks) task(member);
    if (hasLost) this.#handler?.onLapped(member, "all");
  }
}
