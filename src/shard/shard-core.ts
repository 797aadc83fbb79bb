/**
 * The part of a shard that is independent of the engine: its member and PubSub, its channels, sockets
 * and presences, and the app's context.
 *
 * Frames enter through `sockets`, and leave through the connections and the publisher that the core
 * receives. `Shard` adds the engine to it. `SoloShard`, which is used to test channels, has no
 * engine.
 *
 * Runs on: shard.
 */

import { Callbacks } from "../callbacks/callbacks.ts";
import type { WaitingBytes } from "../callbacks/waiting-bytes.ts";
import type { Publisher } from "../channel/connection.ts";
import type { ShardContext } from "../channel/context.ts";
import { Channel } from "../channel/channel.ts";
import { STATE } from "../channel/channel-state.ts";
import type { BroadcastRoom } from "../channel/broadcast-room.ts";
import { Fastlane } from "../channel/fastlane.ts";
import { HeldBroadcasts } from "../channel/held-broadcasts.ts";
import type { Lane } from "../channel/lane.ts";
import type { QueuedBroadcasts } from "../channel/queued-broadcasts.ts";
import { ShardChannels } from "../channel/shard-channels.ts";
import type { Tasks } from "../channel/tasks/tasks.ts";
import type { Clock } from "../limits/clock.ts";
import { Refusals } from "../limits/refusals.ts";
import type { Logger } from "../log/logger.ts";
import type { Counters } from "../memory/counters.ts";
import { Life } from "../memory/life.ts";
import { RateTable } from "../memory/rate-table.ts";
import { RunningNote } from "../memory/running.ts";
import type { OwnerState } from "../presence/shard-presence.ts";
import { Trackers } from "../presence/trackers.ts";
import { EVENT } from "../protocol/reserved.ts";
import type { ExchangeHandler } from "../pubsub/exchange.ts";
import {
  BurstWindow,
  makeCoalescingWindow,
  type HoldingWindow,
} from "../pubsub/holding-windows.ts";
import { Keeping, type KeeperLine } from "../pubsub/keeping.ts";
import { KeptTopics } from "../pubsub/kept-topics.ts";
import { Member } from "../pubsub/member.ts";
import {
  broadcastTo,
  checkBroadcastOptions,
  CONTEXT_OPTIONS,
  keyOf,
} from "../pubsub/broadcast-options.ts";
import { PubSub } from "../pubsub/pubsub.ts";
import { ChannelRouter } from "../socket/channel-router.ts";
import { ExpiryBook, type Expirable } from "../socket/expiry-book.ts";
import type { AnyMount } from "../socket/mount.ts";
import { openSocket } from "../socket/open-socket.ts";
import type { SocketOpener } from "../socket/served-socket.ts";
import { SocketLimiter } from "../socket/socket-limiter.ts";
import type { SocketLimits } from "../socket/limits.ts";
import { ShardSockets } from "../socket/shard-sockets.ts";
import type { ShardStart } from "./control.ts";
import { SlowCallbacks } from "./slow-callbacks.ts";
import { deliveryOf, isForwardingRecord, type ForwardingDelivery } from "./exchange-forwarding.ts";
import { isRawMountDefinition, keptPatternsOf, routeOf } from "../endpoint/endpoint.ts";
import type { AnyMountDefinition, EndpointDefinition } from "../endpoint/endpoint.ts";
import { outgoingSchemasOf, TopicWriters } from "../endpoint/outgoing-schemas.ts";

/** The dependencies of a ShardCore. */
export interface ShardCoreParts {
  readonly start: Omit<ShardStart, "app" | "predecessors">;
  readonly counters: Counters;
  readonly publisher: Publisher;
  readonly tasks: Tasks;
  readonly logger: Logger;
  readonly endpoint: EndpointDefinition;
  /** Counts messages and broadcasts that wait for user code. */
  readonly waiting: WaitingBytes;
  /** How much large broadcasts may leave unsent. */
  readonly room: BroadcastRoom;
  /** Clock for rate limits. */
  readonly clock: Clock;
  /** Reports whether joins and large messages are accepted. */
  readonly takesMore: () => boolean;
  /** Carries records to the keeper of histories; by default, the exchange. */
  readonly keeperLine?: KeeperLine;
  /** Handles a record of a request that another shard forwards or answers. */
  readonly onForwardingRecord: (delivery: ForwardingDelivery) => void;
}

/** The core of one shard. */
export class ShardCore {
  readonly member: Member;
  readonly context: ShardContext;
  readonly pubsub: PubSub<Lane>;
  readonly presences: Trackers;
  readonly #callbacks: Callbacks;
  readonly #channels: ShardChannels;
  readonly #sockets: ShardSockets;
  readonly #expiries = new ExpiryBook<Expirable>(() => Date.now());
  /** Opens sockets for connections. */
  readonly sockets: SocketOpener = {
    open: (connection, identity) => openSocket(this.#sockets, connection, identity),
  };
  /**
   * Broadcasts that are held until a coalescing window, or the event loop turn of a burst, ends.
   */
  readonly held: HeldBroadcasts;
  /** Broadcasts that wait in the queues of slow channels. */
  readonly queued: QueuedBroadcasts;
  readonly #window: HoldingWindow;
  readonly #parts: ShardCoreParts;
  readonly #writers: TopicWriters;
  /** The node's buckets. */
  readonly rates: RateTable;
  readonly #refusals: Refusals;
  #sharesRates = false;
  readonly #handler: ExchangeHandler = {
    onRecord: (from, type, bytes, offset, length) => {
      if (isForwardingRecord(type)) {
        const carrier = { node: this.member.node, member: from };
        const record = bytes.subarray(offset, offset + length);
        this.#parts.onForwardingRecord(deliveryOf(carrier, type, record));
      } else this.pubsub.onRecord(from, type, bytes, offset, length);
    },
    onLapped: (from, slots) => this.pubsub.onLapped(from, slots),
    onError: (error, from) => this.pubsub.onError(error, from),
  };

  constructor(parts: ShardCoreParts) {
    const { start, counters, tasks, logger } = parts;
    const { memory, options, member } = start;
    this.#parts = parts;
    this.#writers = new TopicWriters(outgoingSchemasOf(parts.endpoint));
    this.rates = new RateTable(memory.rates);
    this.#refusals = new Refusals(counters, logger, parts.clock);
    const window = makeCoalescingWindow(options.coalesceMs);
    this.#window = window ?? new BurstWindow();
    this.member = new Member({ memory, member, counters, logger, options, window });
    this.context = this.#makeContext();
    this.held = new HeldBroadcasts(this.#window, parts.publisher);
    const { maxBackpressureBytes } = options;
    const fastlane = new Fastlane(
      parts.publisher,
      this.held,
      parts.room,
      counters,
      maxBackpressureBytes,
    );
    this.queued = fastlane.queued;
    this.pubsub = new PubSub(this.member, fastlane, options);
    const kept = new KeptTopics(start.kept ?? keptPatternsOf(parts.endpoint));
    if (!kept.isEmpty) {
      const line = parts.keeperLine ?? this.member.exchange;
      this.pubsub.keep(new Keeping(this.member, kept, options, line));
    }
    const life = new Life(memory.life);
    const note = new RunningNote(memory.running, member);
    const { slowCallbackMs } = options;
    const watch = new SlowCallbacks({ life, note, slowCallbackMs, counters, logger });
    this.#callbacks = new Callbacks({ ...options, waiting: parts.waiting, watch });
    this.#channels = new ShardChannels({
      shard: start.shard,
      context: this.context,
      pubsub: this.pubsub,
      fastlane,
      tasks,
      callbacks: this.#callbacks,
      counters,
      options,
      logger,
      onEnded: (channel) => this.presences.ended(channel),
    });
    this.presences = new Trackers({
      presences: parts.endpoint.presences ?? [],
      options,
      context: this.context,
      pubsub: this.pubsub,
      ownerState: (owner) => this.#ownerState(owner),
      ownersOfClient: (owner) => (owner instanceof Channel ? owner.owner.allChannels() : undefined),
    });
    this.#sockets = new ShardSockets({
      channels: this.#channels,
      expiries: this.#expiries,
      logger,
      refusals: this.#refusals,
      options,
      takesMore: parts.takesMore,
    });
  }

  /**
   * Allows members to be retired. Called before `start`, when no records are being received yet.
   */
  attach(): void {
    this.member.attach(this.#handler);
  }

  /** Starts receiving records and sharing presences. */
  start(): void {
    this.member.start(this.#handler);
    this.presences.start();
  }

  /** Publishes all held broadcasts. */
  endWindow(): void {
    this.#window.end();
  }

  /** Stops receiving records and ends all subscriptions. */
  stop(): void {
    this.presences.close();
    this.pubsub.stopNotices();
    this.pubsub.keeping?.stop();
    this.member.stop();
  }

  /**
   * Ends channels, raw sockets and joins whose callbacks exceed their time limit, and connections
   * that have expired. Called by the shard's sweep.
   */
  checkTimeouts(nowMs: number): void {
    this.#callbacks.checkTimeouts(nowMs);
    this.#channels.checkOpenJoins(nowMs);
    this.#expiries.look();
  }

  /** Fails channels and raw sockets whose callbacks main has ended. Called at the beginning of a turn. */
  failEnded(): void {
    this.#callbacks.recover();
  }

  /**
   * Continues after main has ended what this thread ran. Called at the beginning of a turn, and again if it was ended
   * itself.
   */
  recover(): void {
    this.#callbacks.recover();
    this.#sockets.endings.recover();
    this.pubsub.recover();
    this.presences.recover();
    this.member.exchange.recover();
  }

  /** From now on, channels and raw sockets end without their last callbacks. */
  abandonCallbacks(): void {
    this.#callbacks.isAbandoned = true;
  }

  /**
   * Resets stale buckets of the shared rate limits. Called by the shard's sweep.
   *
   * @param isUsed - whether others use the table
   */
  refreshRates(isUsed: boolean): void {
    if (this.#sharesRates || isUsed) this.rates.refresh(this.#parts.clock());
  }

  /**
   * Waits until all channels and raw sockets have ended, including their `terminate`.
   *
   * @param limitMs - maximum time to wait; no limit if omitted
   * @returns the number of channels and raw sockets that have not ended
   */
  async allEnded(limitMs?: number): Promise<number> {
    return this.#callbacks.live.allGone(limitMs);
  }

  /** Creates the mount for a socket at a path. */
  makeMount(path: string, mount: AnyMountDefinition): AnyMount {
    const { options } = this.#parts.start;
    const { handlerTimeoutMs } = options;
    if (isRawMountDefinition(mount)) return { path, definition: mount.socket, handlerTimeoutMs };
    const { socket, channels, maxChannels = options.maxChannels } = mount;
    const routes = Object.entries(channels).map(([pattern, it]) => [pattern, routeOf(it)] as const);
    const router = new ChannelRouter(Object.fromEntries(routes), options);
    const limiter = this.#makeLimiter(path, socket.limits);
    return { path, definition: socket, router, handlerTimeoutMs, maxChannels, limiter };
  }

  #makeLimiter(path: string, limits: SocketLimits | undefined): SocketLimiter | undefined {
    if (!limits) return undefined;
    const limiter = new SocketLimiter(path, limits, this.rates, this.#refusals);
    this.#sharesRates ||= limiter.isShared;
    return limiter;
  }

  /** Returns the state of an owner of presences: a channel, or the context. */
  #ownerState(owner: object): OwnerState {
    if (owner === this.context) return "alive";
    if (!(owner instanceof Channel)) return "stranger";
    return owner.state === STATE.closed ? "ended" : "alive";
  }

  #makeContext(): ShardContext {
    const { start, tasks } = this.#parts;
    const { options, memory } = start;
    const life = new Life(memory.life);
    return {
      data: start.data,
      shard: start.shard,
      shards: options.shards,
      get isReady() {
        return life.isReady;
      },
      secretKeyBase: options.secretKeyBase,
      broadcast: (topic, event, payload = {}, broadcastOptions) => {
        checkBroadcastOptions(broadcastOptions, CONTEXT_OPTIONS);
        const written = this.#writers.written(topic, event, payload);
        broadcastTo(this.pubsub, topic, event, written, broadcastOptions);
      },
      disconnect: (id) => this.pubsub.broadcast(id, EVENT.disconnect, {}, "cluster"),
      subscribe: (topic, handler, onGap = () => {}) => this.pubsub.listen(topic, handler, onGap),
      subscribers: (topic) => this.pubsub.count(topic),
      publish: async (topic, event, payload = {}, given = {}) => {
        const key = keyOf(given);
        return this.pubsub.publish(topic, event, this.#writers.written(topic, event, payload), key);
      },
      history: async (topic, request) => this.pubsub.history(topic, request),
      clearHistory: async (topic) => this.pubsub.clearHistory(topic),
      task: async (name, input, given = {}) => tasks.run(name, input, given).result,
    };
  }
}
