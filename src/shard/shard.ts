/**
 * A shard: the composition root of all that one worker thread owns: the core, and around it the
 * engine with its transports, and the clock.
 *
 * Runs on: shard.
 */

import type { Tasks } from "../channel/tasks/tasks.ts";
import { monotonicMs } from "../limits/clock.ts";
import type { Logger } from "../log/logger.ts";
import { Counters, readCounters } from "../memory/counters.ts";
import { Life } from "../memory/life.ts";
import type { DrainCounts, DrainPace } from "../transport/drain.ts";
import { EnginePublisher } from "../transport/engine/publisher.ts";
import type { Engine, EngineApp } from "../transport/engine/engine-types.ts";
import { Handshake } from "../transport/handshake/handshake.ts";
import { mountRoutes } from "../transport/http/routes.ts";
import { Sweep, tickFor } from "../transport/sweep.ts";
import { LongPollTransport } from "../transport/longpoll/longpoll-transport.ts";
import { ConnectionNumbering } from "../transport/connection-numbering.ts";
import { CustomTransports } from "../transport/custom/custom-transports.ts";
import type { ServedSocket } from "../socket/served-socket.ts";
import { longpollOptionsOf, longpollPathOf } from "../endpoint/longpoll-mount.ts";
import { ExchangeWire } from "./exchange-wire.ts";
import { WebSocketTransport } from "../transport/websocket/websocket-transport.ts";
import { firstConnectionNumber } from "./connection-numbers.ts";
import type { ShardDrain, ShardStart } from "./control.ts";
import { CounterMeter } from "./counter-meter.ts";
import {
  isRawMountDefinition,
  startApp,
  routeOf,
  websocketOptionsOf,
  websocketPathOf,
  type EndpointDefinition,
  type AnyMountDefinition,
} from "../endpoint/endpoint.ts";
import { answerOf, type Answer, type Question } from "./introspection.ts";
import { handshakePolicyOf } from "../endpoint/mount-handshake.ts";
import { OverloadWatch } from "./overload-watch.ts";
import { ShardCore } from "./shard-core.ts";

/** What a shard is made of. */
export interface ShardParts {
  readonly start: ShardStart;
  readonly endpoint: EndpointDefinition;
  readonly engine: Engine;
  readonly tasks: Tasks;
  readonly logger: Logger;
  /** Called where the shard is to be taken out of the deal (false), or put back (true). */
  readonly onRotation: (isIn: boolean) => void;
}

/** One shard. */
export class Shard {
  readonly app: EngineApp;
  readonly #parts: ShardParts;
  readonly #counters: Counters;
  readonly #core: ShardCore;
  readonly #transport: WebSocketTransport;
  readonly #longpoll: LongPollTransport;
  readonly #custom: CustomTransports;
  readonly #sweep: Sweep;
  readonly #overload: OverloadWatch;
  #drained: Promise<ShardDrain> | undefined;
  #finished: Promise<void> | undefined;
  #isClosed = false;

  constructor(parts: ShardParts) {
    const { start, engine, tasks, logger } = parts;
    const { memory, options, member } = start;
    this.#parts = parts;
    this.#counters = new Counters(memory.counters, member);
    this.app = engine.App();
    const meter = new CounterMeter(this.#counters);
    const publisher = new EnginePublisher(this.app, (receivers, bytes) =>
      this.#transport.published(receivers, bytes),
    );
    this.#overload = this.#makeOverloadWatch();
    this.#core = new ShardCore({
      start,
      counters: this.#counters,
      publisher,
      tasks,
      logger,
      presences: parts.endpoint.presences ?? [],
      clock: monotonicMs,
      takesJoins: () => this.#overload.takesJoins,
      onSessionRecord: ({ from, record }) => this.#longpoll.forwarding.receive(from, record),
    });
    this.#sweep = new Sweep(this.#tickMs());
    const first = firstConnectionNumber(start.shard, options.shards, start.predecessors);
    const { maxBackpressureBytes, slowClientMs, secretKeyBase, longpollTimeoutMs } = options;
    const life = new Life(memory.life);
    const common = {
      app: this.app,
      sockets: this.#core.sockets,
      logger,
      meter,
      sweep: this.#sweep,
      numbers: new ConnectionNumbering(first, options.shards),
      maxBackpressureBytes,
      isNodeDrained: (): boolean => life.isDraining,
    };
    const { held } = this.#core;
    this.#transport = new WebSocketTransport({ ...common, engine, slowClientMs, held });
    const wire = new ExchangeWire(memory, member, this.#core.member.exchange);
    this.#longpoll = new LongPollTransport({
      ...common,
      wire,
      secretKeyBase,
      peerTimeoutMs: longpollTimeoutMs,
    });
    this.#custom = new CustomTransports({ ...common, context: this.#core.context, slowClientMs });
  }

  /** Runs the app's `start`, mounts sockets and routes, and begins to take records. */
  async start(): Promise<void> {
    const { endpoint, logger } = this.#parts;
    const { context } = this.#core;
    // Before its first turn: a member may have to be forgotten while the app starts.
    this.#core.attach();
    await startApp(endpoint, context);
    if (this.#isClosed) return;
    for (const [path, mount] of Object.entries(endpoint.sockets)) this.#mount(path, mount);
    const { handlerTimeoutMs } = this.#parts.start.options;
    mountRoutes(this.app, endpoint.routes ?? {}, context, handlerTimeoutMs, logger);
    this.#sweep.add(() => this.#core.checkTimeouts(performance.now()));
    this.#sweep.add(() => this.#core.refreshRates());
    this.#sweep.start();
    this.#overload.start();
    this.#core.start();
    // Last: from now on clients may come.
    await this.#custom.start(endpoint.transports ?? []);
  }

  /**
   * Closes all connections, and ends all channels; takes no more, and goes on with routes. Called
   * again, it goes on at the new pace.
   */
  async drain(pace: DrainPace): Promise<ShardDrain> {
    if (this.#drained) void this.#drainTransports(pace);
    this.#drained ??= this.#drain(pace);
    return this.#drained;
  }

  /** Runs the app's `stop`, and sees that what was broadcast last is on its way. */
  async finish(): Promise<void> {
    this.#finished ??= this.#finish();
    return this.#finished;
  }

  /** Ends all connections at once. */
  cut(): void {
    this.#transport.cutAll();
    this.#longpoll.cutAll();
    this.#custom.cutAll();
  }

  /** Closes the app and lets go of what keeps the thread alive. Nothing is served after it. */
  close(): void {
    this.#isClosed = true;
    this.#sweep.stop();
    this.#overload.stop();
    this.#core.endWindow();
    this.app.close();
    // The engine knows nothing of these.
    this.#custom.cutAll();
    this.#core.stop();
  }

  /**
   * Forgets a member that ended, after what it had written was delivered.
   *
   * @param hasLost - whether it ended with records that were still to come
   */
  retire(member: number, hasLost: boolean): void {
    this.#core.member.retire(member, hasLost);
    this.#longpoll.forwarding.memberGone(member);
  }

  /** Answers what main asks. */
  async answer(question: Question): Promise<Answer> {
    const { shard } = this.#parts.start;
    const sockets = (): Iterable<ServedSocket> => [
      ...this.#transport.openSockets(),
      ...this.#longpoll.openSockets(),
      ...this.#custom.openSockets(),
    ];
    const { pubsub, presences } = this.#core;
    return answerOf(question, { shard, pubsub, sockets, presences });
  }

  async #drain(pace: DrainPace): Promise<ShardDrain> {
    const { memory, member, options } = this.#parts.start;
    const { sessions, channels } = readCounters(memory.counters, member);
    const counts = await this.#drainTransports(pace);
    const unsettled = await this.#core.allEnded(options.shutdownMs);
    return { ...counts, sessions, channels, unsettled };
  }

  async #drainTransports(pace: DrainPace): Promise<DrainCounts> {
    const transports = [this.#transport, this.#longpoll, this.#custom];
    const counts = await Promise.all(transports.map((transport) => transport.drain(pace)));
    return counts.reduce((sum, of) => ({
      connections: sum.connections + of.connections,
      closed: sum.closed + of.closed,
      cut: sum.cut + of.cut,
    }));
  }

  async #finish(): Promise<void> {
    const { endpoint, logger, start } = this.#parts;
    const { context, member, presences } = this.#core;
    this.#longpoll.finish();
    try {
      await endpoint.stop?.(context);
    } catch (error) {
      logger.log("stopFailed", { err: error });
    }
    presences.stop();
    this.#core.endWindow();
    await member.exchange.sent(start.options.shutdownMs);
  }

  #mount(path: string, mount: AnyMountDefinition): void {
    const { endpoint, logger, start } = this.#parts;
    const { options } = start;
    const common = {
      mount: this.#core.makeMount(path, mount),
      context: this.#core.context,
      secretKeyBase: options.secretKeyBase,
      logger,
    };
    const { serializers } = handshakePolicyOf(path, endpoint, mount, {});
    this.#custom.mount({ mount: common.mount, serializers });
    const longpoll = longpollOptionsOf(mount);
    if (longpoll) {
      const polled = handshakePolicyOf(path, endpoint, mount, longpoll);
      const polling = new Handshake({ ...common, policy: polled, transport: "longpoll" });
      this.#longpoll.mount(longpollPathOf(path, longpoll), polling, {
        windowMs: longpoll.windowMs ?? options.longpollWindowMs,
        pubsubTimeoutMs: longpoll.pubsubTimeoutMs ?? options.longpollTimeoutMs,
        maxAgeMs: longpoll.maxAgeMs ?? options.longpollMaxAgeMs,
        crypto: longpoll.crypto ?? {},
      });
    }
    const websocket = websocketOptionsOf(mount);
    if (!websocket) return;
    const policy = handshakePolicyOf(path, endpoint, mount, websocket);
    const handshake = new Handshake({ ...common, policy, transport: "websocket" });
    this.#transport.mount(websocketPathOf(path, websocket), handshake, {
      timeoutMs: websocket.timeoutMs ?? options.idleTimeoutMs,
      maxFrameBytes: websocket.maxFrameBytes ?? options.maxFrameBytes,
      compress: websocket.compress ?? false,
    });
  }

  #tickMs(): number {
    const { endpoint, start } = this.#parts;
    const { idleTimeoutMs, handlerTimeoutMs, joinTimeoutMs } = start.options;
    const { longpollWindowMs, longpollTimeoutMs } = start.options;
    const given = Object.values(endpoint.sockets).flatMap((mount) => {
      const longpoll = longpollOptionsOf(mount);
      const channels = isRawMountDefinition(mount) ? [] : Object.values(mount.channels);
      const joins = channels.map((it) => routeOf(it).channel.joinTimeoutMs);
      const own = [websocketOptionsOf(mount)?.timeoutMs, ...joins];
      if (!longpoll) return own;
      const { windowMs = longpollWindowMs, pubsubTimeoutMs = longpollTimeoutMs } = longpoll;
      return [...own, windowMs, pubsubTimeoutMs];
    });
    const limits = given.filter((limit) => limit !== undefined);
    return tickFor(idleTimeoutMs, handlerTimeoutMs, joinTimeoutMs, ...limits);
  }

  #makeOverloadWatch(): OverloadWatch {
    const { start, logger, onRotation } = this.#parts;
    return new OverloadWatch({
      limits: start.options,
      counters: this.#counters,
      logger,
      onRotation,
    });
  }
}
