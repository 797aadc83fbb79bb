/**
 * A shard: the composition root of all that one worker thread owns.
 *
 * It can be built without a Worker, so most tests have no threads.
 *
 * Runs on: shard.
 */

import { ChannelServer } from "../channel/channel-server.ts";
import { Fastlane } from "../channel/fastlane.ts";
import type { Lane } from "../channel/lane.ts";
import type { Tasks } from "../channel/tasks.ts";
import type { Logger } from "../logger.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { Counters } from "../memory/counters.ts";
import { BroadcastEncoder, topicName } from "../protocol/broadcast-encoder.ts";
import { EVENT } from "../protocol/reserved.ts";
import { HEADER_BYTES } from "../pubsub/envelope.ts";
import { Exchange } from "../pubsub/exchange.ts";
import type { ExchangeHandler, LappedNotice } from "../pubsub/exchange.ts";
import { PubSub, type Scope } from "../pubsub/pubsub.ts";
import { SubscriptionIndex } from "../pubsub/subscription-index.ts";
import { ChannelRouter } from "../socket/channel-router.ts";
import { SocketServer } from "../socket/socket-server.ts";
import { telemetry } from "../telemetry.ts";
import { EnginePublisher } from "../transport/engine-publisher.ts";
import type { Engine, EngineApp } from "../transport/engine-types.ts";
import { mountRoutes } from "../transport/routes.ts";
import { Sweep, tickFor } from "../transport/sweep.ts";
import { WebSocketTransport } from "../transport/websocket.ts";
import type { DrainPace } from "../transport/drain.ts";
import { firstConnectionNumber } from "./connection-numbers.ts";
import type { ShardContext } from "./context.ts";
import type { ShardStart } from "./control.ts";
import { CounterMeter } from "./counter-meter.ts";
import { routeOf, type EndpointDefinition, type MountDefinition } from "./endpoint.ts";
import { answerOf, type Answer, type Question } from "./introspection.ts";

/** What a shard is made of. */
export interface ShardParts {
  readonly start: ShardStart;
  readonly endpoint: EndpointDefinition;
  readonly engine: Engine;
  readonly tasks: Tasks;
  readonly logger: Logger;
}

/** One shard. */
export class Shard {
  readonly app: EngineApp;
  readonly exchange: Exchange;
  readonly context: ShardContext;
  readonly #parts: ShardParts;
  readonly #counters: Counters;
  readonly #index: SubscriptionIndex;
  readonly #encoder = new BroadcastEncoder(HEADER_BYTES);
  readonly #pubsub: PubSub<Lane>;
  readonly #channels: ChannelServer;
  readonly #sockets: SocketServer;
  readonly #transport: WebSocketTransport;
  readonly #sweep: Sweep;
  #drained: Promise<void> | undefined;
  #isClosed = false;

  constructor(parts: ShardParts) {
    const { start, engine, logger } = parts;
    const { memory, options, member } = start;
    this.#parts = parts;
    this.#counters = new Counters(memory.counters, member);
    this.#index = new SubscriptionIndex(memory.index, memory.indexLayout, member);
    this.exchange = this.#makeExchange();
    this.context = this.#makeContext();
    this.app = engine.App();
    const meter = new CounterMeter(this.#counters);
    const fastlane = new Fastlane(new EnginePublisher(this.app, meter));
    this.#pubsub = this.#makePubSub(fastlane);
    this.#channels = new ChannelServer({
      shard: start.shard,
      context: this.context,
      pubsub: this.#pubsub,
      fastlane,
      encoder: this.#encoder,
      tasks: parts.tasks,
      logger,
      maxMailbox: options.maxMailbox,
      handlerTimeoutMs: options.handlerTimeoutMs,
      onCount: (change) => this.#counters.add(COUNTER.channels, change),
    });
    this.#sockets = new SocketServer({
      channels: this.#channels,
      idTopics: this.#pubsub,
      logger,
      maxBacklog: options.maxMailbox,
    });
    this.#sweep = new Sweep(this.#tickMs());
    this.#transport = new WebSocketTransport({
      engine,
      app: this.app,
      sockets: this.#sockets,
      context: this.context,
      logger,
      meter,
      sweep: this.#sweep,
      firstNumber: firstConnectionNumber(start.shard, options.shards, start.predecessors),
      numberStep: options.shards,
      maxBackpressureBytes: options.maxBackpressureBytes,
    });
  }

  /** Runs the app's `start`, mounts sockets and routes, and begins to take records. */
  async start(): Promise<void> {
    const { endpoint, logger } = this.#parts;
    const handler = this.#makeRecordHandler();
    // Before it has its first turn: a member may have to be forgotten while the app starts.
    this.exchange.attach(handler);
    await endpoint.start?.(this.context);
    if (this.#isClosed) return;
    for (const [path, mount] of Object.entries(endpoint.sockets)) this.#mount(path, mount);
    mountRoutes(this.app, endpoint.routes ?? {}, this.context, logger);
    this.#sweep.add(() => this.#channels.checkTimeouts(performance.now()));
    this.#sweep.add(this.#makeLagGauge());
    this.#sweep.start();
    this.exchange.start(handler);
  }

  /**
   * Closes all connections, ends all channels, runs the app's `stop`, and sees that what they
   * broadcast last is on its way. Called again, it goes on at the new pace.
   */
  async drain(pace: DrainPace): Promise<void> {
    if (this.#drained) void this.#transport.drain(pace);
    this.#drained ??= this.#drain(pace);
    return this.#drained;
  }

  /** Ends all connections at once. */
  cut(): void {
    this.#transport.cutAll();
  }

  /** Closes the app and lets go of what keeps the thread alive. Nothing is served after it. */
  close(): void {
    this.#isClosed = true;
    this.#sweep.stop();
    this.app.close();
    this.exchange.stop();
    this.#index.clearMember(this.#parts.start.member);
  }

  /**
   * Forgets a member that ended, after what it had written was delivered.
   *
   * @param hasLost - whether it ended with records that were still to come
   */
  retire(member: number, hasLost: boolean): void {
    this.exchange.drainFrom(member);
    this.exchange.forget(member);
    if (hasLost) this.#lapped(member, "all");
  }

  /** Answers what main asks. */
  answer(question: Question): Answer {
    const { shard } = this.#parts.start;
    const sockets = (): ReturnType<WebSocketTransport["openSockets"]> =>
      this.#transport.openSockets();
    return answerOf(question, { shard, pubsub: this.#pubsub, sockets });
  }

  async #drain(pace: DrainPace): Promise<void> {
    const { endpoint, logger } = this.#parts;
    await this.#transport.drain(pace);
    await this.#channels.allEnded();
    try {
      await endpoint.stop?.(this.context);
    } catch (error) {
      logger.log("stopFailed", { err: error });
    }
    await this.exchange.sent(pace.deadlineMs);
  }

  #makeRecordHandler(): ExchangeHandler {
    return {
      onRecord: (_from, _type, bytes, offset, length) =>
        this.#pubsub.deliverRecord(bytes, offset, length),
      onLapped: (from, slots) => this.#lapped(from, slots),
      onError: (error, from) => this.#parts.logger.log("recordFailed", { from, err: error }),
    };
  }

  #lapped(from: number, slots: LappedNotice): void {
    const count = slots === "all" ? slots : slots.length;
    this.#parts.logger.log("lapped", { from, slots: count });
    if (telemetry.lapped.hasSubscribers) telemetry.lapped.publish({ from, slots: count });
    this.#pubsub.lapped(slots);
  }

  #makeExchange(): Exchange {
    const { memory, options, member } = this.#parts.start;
    return new Exchange({
      memory: memory.exchange,
      member,
      index: this.#index,
      counters: this.#counters,
      overflowBytes: options.overflowBytes,
      overflowTotalBytes: options.overflowTotalBytes,
    });
  }

  #makePubSub(fastlane: Fastlane): PubSub<Lane> {
    const { start, logger } = this.#parts;
    return new PubSub<Lane>({
      index: this.#index,
      exchange: this.exchange,
      counters: this.#counters,
      dispatcher: fastlane,
      link: start.memory.link,
      hashSeed: start.memory.hashSeed,
      onListenerError: (error, topic) => logger.log("recordFailed", { topic, err: error }),
    });
  }

  #makeContext(): ShardContext {
    const { start } = this.#parts;
    const { options, memory } = start;
    return {
      data: start.data,
      shard: start.shard,
      shards: options.shards,
      secretKeyBase: options.secretKeyBase,
      broadcast: (topic, event, payload) => this.#broadcast(topic, event, payload, "cluster"),
      localBroadcast: (topic, event, payload) => this.#broadcast(topic, event, payload, "node"),
      directBroadcast: (node, topic, event, payload) => {
        if (node === memory.nodeName) {
          this.#broadcast(topic, event, payload, "node");
          return;
        }
        this.#encoder.encode(topicName(topic), event, payload ?? {});
        this.#pubsub.directBroadcast(topic, this.#encoder, this.#encoder.append(node));
      },
      disconnect: (id) => this.#broadcast(id, EVENT.disconnect, {}, "cluster"),
      subscribers: (topic) => this.#pubsub.count(topic),
    };
  }

  #broadcast(topic: string, event: string, payload: unknown, scope: Scope): void {
    const entry = this.#pubsub.registry.get(topic);
    this.#encoder.encode(entry ?? topicName(topic), event, payload ?? {});
    this.#pubsub.broadcast(entry ?? topic, this.#encoder, scope);
  }

  #mount(path: string, mount: MountDefinition): void {
    const { options } = this.#parts.start;
    const { websocket = true, channels, socket } = mount;
    const given = websocket === true ? {} : websocket;
    const routes = Object.entries(channels).map(([pattern, it]) => [pattern, routeOf(it)] as const);
    const socketMount = {
      path,
      definition: socket,
      router: new ChannelRouter(Object.fromEntries(routes)),
      maxChannels: mount.maxChannels ?? options.maxChannels,
    };
    this.#transport.mount(`${path}/websocket`, socketMount, {
      timeoutMs: given.timeoutMs ?? options.idleTimeoutMs,
      maxFrameBytes: given.maxFrameBytes ?? options.maxFrameBytes,
    });
  }

  #tickMs(): number {
    const { endpoint, start } = this.#parts;
    const timeouts = Object.values(endpoint.sockets).map(({ websocket }) =>
      typeof websocket === "object" ? websocket.timeoutMs : undefined,
    );
    const given = timeouts.filter((timeout) => timeout !== undefined);
    const { idleTimeoutMs, handlerTimeoutMs } = start.options;
    return tickFor(idleTimeoutMs, handlerTimeoutMs, ...given);
  }

  // A tick that comes late tells how long something held the loop.
  #makeLagGauge(): () => void {
    let lastMs = performance.now();
    return () => {
      const nowMs = performance.now();
      this.#counters.set(COUNTER.loopLagMs, Math.max(0, nowMs - lastMs - this.#sweep.tickMs));
      lastMs = nowMs;
      this.#counters.set(COUNTER.heapBytes, process.memoryUsage().heapUsed);
    };
  }
}
