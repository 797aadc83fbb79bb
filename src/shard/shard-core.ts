/**
 * The part of a shard that knows no engine: PubSub, channels and sockets, and the app's context.
 *
 * Frames come in through `sockets`, and go out through whatever connections and publisher it is
 * given. A shard puts the engine around it, tests of channels put nothing around it.
 *
 * Runs on: shard.
 */

import { ChannelServer } from "../channel/channel-server.ts";
import type { Publisher } from "../channel/connection.ts";
import type { ShardContext } from "../channel/context.ts";
import { Fastlane } from "../channel/fastlane.ts";
import { HeldBroadcasts } from "../channel/held-broadcasts.ts";
import type { Lane } from "../channel/lane.ts";
import { RawChannelServer } from "../channel/raw-channel-server.ts";
import { runTask } from "../channel/tasks/task-signal.ts";
import type { Tasks } from "../channel/tasks/tasks.ts";
import type { Clock } from "../limits/clock.ts";
import { Refusals } from "../limits/refusals.ts";
import type { Logger } from "../log/logger.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import { Life } from "../memory/life.ts";
import { RateTable } from "../memory/rate-table.ts";
import type { AnyPresence } from "../presence/presence.ts";
import { BroadcastEncoder, checkUsersTopic, topicName } from "../protocol/broadcast-encoder.ts";
import { EVENT } from "../protocol/reserved.ts";
import { BurstWindow } from "../pubsub/burst-window.ts";
import { makeCoalescingWindow, type CoalescingWindow } from "../pubsub/coalescing-window.ts";
import { HEADER_BYTES } from "../pubsub/envelope.ts";
import { Exchange, type ExchangeHandler, type LappedNotice } from "../pubsub/exchange.ts";
import type { HoldingWindow } from "../pubsub/holding-window.ts";
import { PubSub, type Scope } from "../pubsub/pubsub.ts";
import { SubscriptionIndex } from "../pubsub/subscription-index.ts";
import { ChannelRouter } from "../socket/channel-router.ts";
import { ExpiryBook, type Mortal } from "../socket/expiry-book.ts";
import type { AnyMount } from "../socket/mount.ts";
import { RawSocketServer } from "../socket/raw-socket-server.ts";
import type { SocketOpener } from "../socket/served-socket.ts";
import { SocketLimiter } from "../socket/socket-limiter.ts";
import type { SocketLimits } from "../socket/limits.ts";
import { SocketServer } from "../socket/socket-server.ts";
import { telemetry } from "../telemetry.ts";
import type { ShardStart } from "./control.ts";
import { deliveryOf, isForwardingRecord, type ForwardingDelivery } from "./exchange-forwarding.ts";
import { isRawMountDefinition, routeOf, type AnyMountDefinition } from "../endpoint/endpoint.ts";
import { ShardWire } from "./presence-wire.ts";
import { ShardPresences } from "./presences.ts";

/** What the core of a shard is made of. */
export interface ShardCoreParts {
  readonly start: Omit<ShardStart, "app" | "predecessors">;
  readonly counters: Counters;
  readonly publisher: Publisher;
  readonly tasks: Tasks;
  readonly logger: Logger;
  readonly presences: readonly AnyPresence[];
  /** Of rate limits. */
  readonly clock: Clock;
  /** Says whether further joins are taken. */
  readonly takesJoins: () => boolean;
  /** Takes a record of a long-poll request that another shard forwards, or answers. */
  readonly onForwardingRecord: (delivery: ForwardingDelivery) => void;
}

/** The core of one shard. */
export class ShardCore {
  readonly exchange: Exchange;
  readonly context: ShardContext;
  readonly pubsub: PubSub<Lane>;
  readonly presences: ShardPresences;
  readonly #channels: ChannelServer;
  readonly #sockets: SocketServer;
  readonly #rawChannels: RawChannelServer;
  readonly #rawSockets: RawSocketServer;
  readonly #expiries = new ExpiryBook<Mortal>(() => Date.now());
  /** Makes the sockets of connections, of whichever kind their mount is. */
  readonly sockets: SocketOpener = {
    open: (connection, identity) =>
      "serializer" in identity
        ? this.#sockets.open(connection, identity)
        : this.#rawSockets.open(connection, identity),
  };
  /** What holds broadcasts: all of a coalescing window, or those of a burst. */
  readonly held: HeldBroadcasts;
  readonly #coalescing: CoalescingWindow | undefined;
  readonly #window: HoldingWindow;
  readonly #parts: ShardCoreParts;
  readonly #rates: RateTable;
  readonly #refusals: Refusals;
  #sharesRates = false;
  readonly #node: string;
  readonly #index: SubscriptionIndex;
  readonly #encoder = new BroadcastEncoder(HEADER_BYTES);
  readonly #handler: ExchangeHandler = {
    onRecord: (from, type, bytes, offset, length) => {
      if (isForwardingRecord(type)) {
        const carrier = { node: this.#node, member: from };
        const record = bytes.subarray(offset, offset + length);
        this.#parts.onForwardingRecord(deliveryOf(carrier, type, record));
      } else this.pubsub.deliverRecord(type, bytes, offset, length);
    },
    onLapped: (from, slots) => this.#lapped(from, slots),
    onError: (error, from) => this.#parts.logger.log("recordFailed", { from, err: error }),
  };

  constructor(parts: ShardCoreParts) {
    const { start, counters, tasks, logger } = parts;
    const { memory, options, member } = start;
    this.#parts = parts;
    this.#node = memory.nodeName;
    this.#rates = new RateTable(memory.rates);
    this.#refusals = this.#makeRefusals();
    this.#index = new SubscriptionIndex(memory.index, memory.indexLayout, member);
    this.#coalescing = makeCoalescingWindow(options.coalesceMs);
    this.#window = this.#coalescing ?? new BurstWindow();
    this.exchange = this.#makeExchange();
    this.context = this.#makeContext();
    this.held = new HeldBroadcasts(this.#window, parts.publisher);
    const fastlane = new Fastlane({
      publisher: parts.publisher,
      held: this.held,
      onSkipped: (count) => counters.add(COUNTER.skippedOnV1, count),
    });
    this.pubsub = this.#makePubSub(fastlane);
    this.#channels = new ChannelServer({
      shard: start.shard,
      context: this.context,
      pubsub: this.pubsub,
      fastlane,
      encoder: this.#encoder,
      tasks,
      logger,
      maxMailbox: options.maxMailbox,
      handlerTimeoutMs: options.handlerTimeoutMs,
      joinTimeoutMs: options.joinTimeoutMs,
      onCount: (change) => counters.add(COUNTER.channels, change),
      onLeftOut: () => counters.add(COUNTER.leftOut, 1),
      onClosed: (channel) => this.presences.ended(channel),
    });
    this.presences = this.#makePresences();
    this.#rawChannels = new RawChannelServer({
      shard: start.shard,
      context: this.context,
      topics: this.pubsub,
      logger,
      handlerTimeoutMs: options.handlerTimeoutMs,
      joinTimeoutMs: options.joinTimeoutMs,
      onCount: (change) => counters.add(COUNTER.channels, change),
    });
    this.#rawSockets = this.#makeRawSockets();
    this.#sockets = this.#makeSockets();
  }

  /** Takes records when it is told to: before `start`, so that a member can be forgotten. */
  attach(): void {
    this.exchange.attach(this.#handler);
  }

  /** Begins to take records, and to share presences. */
  start(): void {
    this.exchange.start(this.#handler);
    this.presences.start();
  }

  /** Has all that is held leave now. */
  endWindow(): void {
    this.#window.end();
  }

  /** Takes no more records, and is no subscriber any more. */
  stop(): void {
    this.presences.close();
    this.exchange.stop();
    this.#index.clear();
  }

  /**
   * Forgets a member that ended, after what it had written was delivered.
   *
   * @param hasLost - whether it ended with records that were still to come
   */
  retire(member: number, hasLost: boolean): void {
    this.exchange.drainFrom(member);
    this.exchange.forget(member);
    this.presences.retired(member);
    if (hasLost) this.#lapped(member, "all");
  }

  /**
   * Ends what asynchronous callbacks kept too long, and connections whose time is over. Called from
   * the shard's sweep.
   */
  checkTimeouts(nowMs: number): void {
    this.#channels.checkTimeouts(nowMs);
    this.#rawChannels.checkTimeouts(nowMs);
    this.#rawSockets.checkTimeouts(nowMs);
    this.#expiries.look();
  }

  /** Gives back what is long past of the limits that shards share. Called from the shard's sweep. */
  refreshRates(): void {
    if (this.#sharesRates) this.#rates.refresh(this.#parts.clock());
  }

  /**
   * Waits until nothing of the user's runs for a connection: all have ended.
   *
   * @param limitMs - the longest time; without it, for as long as it takes
   * @returns how many channels and raw sockets are left then
   */
  async allEnded(limitMs?: number): Promise<number> {
    const servers = [this.#channels, this.#rawChannels, this.#rawSockets];
    const left = await Promise.all(servers.map((server) => server.allEnded(limitMs)));
    return left.reduce((sum, count) => sum + count);
  }

  /** Makes what a socket's connections need of its definition at a path. */
  makeMount(path: string, mount: AnyMountDefinition): AnyMount {
    const { options } = this.#parts.start;
    const connectTimeoutMs = options.handlerTimeoutMs;
    if (isRawMountDefinition(mount)) return { path, definition: mount.socket, connectTimeoutMs };
    const { socket, channels, maxChannels = options.maxChannels } = mount;
    const routes = Object.entries(channels).map(([pattern, it]) => [pattern, routeOf(it)] as const);
    const router = new ChannelRouter(Object.fromEntries(routes));
    const limiter = this.#makeLimiter(path, socket.limits);
    return { path, definition: socket, router, connectTimeoutMs, maxChannels, limiter };
  }

  #makeLimiter(path: string, limits: SocketLimits | undefined): SocketLimiter | undefined {
    if (!limits) return undefined;
    const parts = { path, limits, table: this.#rates, refusals: this.#refusals };
    const limiter = new SocketLimiter(parts);
    this.#sharesRates ||= limiter.isShared;
    return limiter;
  }

  /**
   * Broadcasts.
   *
   * @param from - who is left out: a subscriber of this thread
   */
  broadcast(topic: string, event: string, payload: unknown, scope: Scope, from?: object): void {
    const entry = this.pubsub.registry.get(topic);
    this.#encoder.encode(entry ?? topicName(topic), event, payload ?? {});
    this.pubsub.broadcast(entry ?? topic, this.#encoder, scope, from);
  }

  /** Broadcasts to the subscribers of one node. */
  directBroadcast(node: string, topic: string, event: string, payload: unknown): void {
    if (node === this.#parts.start.memory.nodeName) {
      this.broadcast(topic, event, payload, "node");
      return;
    }
    this.#encoder.encode(topicName(topic), event, payload ?? {});
    this.pubsub.directBroadcast(topic, this.#encoder, this.#encoder.append(node));
  }

  #makeSockets(): SocketServer {
    const { start, counters, logger, takesJoins } = this.#parts;
    return new SocketServer({
      channels: this.#channels,
      rawChannels: this.#rawChannels,
      idTopics: this.pubsub,
      expiries: this.#expiries,
      logger,
      maxBacklog: start.options.maxMailbox,
      refusals: this.#refusals,
      takesJoins,
      onJoinRefused: () => counters.add(COUNTER.joinsOverloaded, 1),
    });
  }

  #makeRefusals(): Refusals {
    const { counters, clock, logger } = this.#parts;
    return new Refusals({
      logger,
      clock,
      onRefused: () => counters.add(COUNTER.rateLimited),
      onIgnored: () => counters.add(COUNTER.floodIgnored),
      onConnectRefused: () => counters.add(COUNTER.connectsLimited),
    });
  }

  #makePresences(): ShardPresences {
    const { start, counters, presences, logger } = this.#parts;
    const { memory, options, member } = start;
    const onCount = (change: number): void => counters.add(COUNTER.presences, change);
    const wire = new ShardWire(memory, member, this, onCount);
    return new ShardPresences({ presences, options, context: this.context, wire, logger });
  }

  #makeRawSockets(): RawSocketServer {
    const { start, logger } = this.#parts;
    const { maxMailbox, handlerTimeoutMs } = start.options;
    return new RawSocketServer({
      shard: start.shard,
      context: this.context,
      topics: this.pubsub,
      expiries: this.#expiries,
      logger,
      maxMailbox,
      handlerTimeoutMs,
    });
  }

  #lapped(from: number, slots: LappedNotice): void {
    const count = slots === "all" ? slots : slots.length;
    this.#parts.logger.log("lapped", { from, slots: count });
    if (telemetry.lapped.hasSubscribers) telemetry.lapped.publish({ from, slots: count });
    this.pubsub.lapped(slots);
  }

  #makeExchange(): Exchange {
    const { memory, options, member } = this.#parts.start;
    return new Exchange({
      memory: memory.exchange,
      member,
      index: this.#index,
      counters: this.#parts.counters,
      overflowBytes: options.overflowBytes,
      overflowTotalBytes: options.overflowTotalBytes,
      window: this.#coalescing,
      onStall: (stall) => this.#parts.logger.log(stall.isStalled ? "stalled" : "stallEnded", stall),
    });
  }

  #makePubSub(fastlane: Fastlane): PubSub<Lane> {
    const { start, counters, logger } = this.#parts;
    return new PubSub<Lane>({
      index: this.#index,
      exchange: this.exchange,
      counters,
      dispatcher: fastlane,
      link: start.memory.link,
      hashSeed: start.memory.hashSeed,
      onListenerError: (error, topic) => logger.log("recordFailed", { topic, err: error }),
    });
  }

  #makeContext(): ShardContext {
    const { start, tasks } = this.#parts;
    const { options, memory } = start;
    const life = new Life(memory.life);
    const broadcast =
      (scope: Scope) =>
      (topic: string, event: string, payload?: unknown): void => {
        checkUsersTopic(topic);
        this.broadcast(topic, event, payload, scope);
      };
    const broadcastFrom =
      (scope: Scope) =>
      (from: object, topic: string, event: string, payload?: unknown): void => {
        checkUsersTopic(topic);
        this.broadcast(topic, event, payload, scope, from);
      };
    return {
      data: start.data,
      shard: start.shard,
      shards: options.shards,
      get isReady() {
        return life.isReady;
      },
      secretKeyBase: options.secretKeyBase,
      broadcast: broadcast("cluster"),
      localBroadcast: broadcast("node"),
      broadcastFrom: broadcastFrom("cluster"),
      localBroadcastFrom: broadcastFrom("node"),
      directBroadcast: (node, topic, event, payload) => {
        checkUsersTopic(topic);
        this.directBroadcast(node, topic, event, payload);
      },
      disconnect: (id) => this.broadcast(id, EVENT.disconnect, {}, "cluster"),
      subscribe: (topic, handler, onGap = () => {}) => this.pubsub.listen(topic, handler, onGap),
      subscribers: (topic) => this.pubsub.count(topic),
      task: async (name, input, given = {}) => runTask(tasks, name, input, given).result,
    };
  }
}
