/**
 * A shard: the composition root of one worker thread. It consists of the core, the engine's app with the
 * transports and routes, and the sweep.
 *
 * Runs on: shard.
 */

import { callbackEnded } from "../callbacks/callbacks.ts";
import { maxTotalWithin, WaitingBytes } from "../callbacks/waiting-bytes.ts";
import { BroadcastRoom } from "../channel/broadcast-room.ts";
import type { ShardContext } from "../channel/context.ts";
import type { Tasks } from "../channel/tasks/tasks.ts";
import {
  isRawMountDefinition,
  routeOf,
  startApp,
  type AnyMountDefinition,
  type EndpointDefinition,
} from "../endpoint/endpoint.ts";
import { invalid } from "../definition-checks.ts";
import { AddressPlaces } from "../limits/address-places.ts";
import { FloodPauses } from "../limits/flood-pauses.ts";
import { monotonicMs } from "../limits/clock.ts";
import type { Logger } from "../log/logger.ts";
import { AddressCounts } from "../memory/address-counts.ts";
import { watchBuffers, type BufferWatch, type BufferWatchParts } from "../memory/buffer-watch.ts";
import { Counters, readCounters } from "../memory/counters.ts";
import { Life } from "../memory/life.ts";
import { PendingConnects } from "../socket/pending-connects.ts";
import { schemeOf, type ResolvedOptions } from "../options/options.ts";
import type { ServedSocket } from "../socket/served-socket.ts";
import { ConnectionNumbers } from "../transport/connection-numbers.ts";
import { ConnectionSet, type SharedByConnections } from "../transport/connection-set.ts";
import { CustomTransports } from "../transport/custom/custom-transports.ts";
import type { DrainCounts, DrainPace } from "../transport/drain.ts";
import { closePhaseDone } from "../transport/engine/close-phase.ts";
import type { EngineApp } from "../transport/engine/app-port.ts";
import type { ListeningPlace } from "../transport/engine/listener-port.ts";
import type { Engine } from "../transport/engine/engine-port.ts";
import { SERVICE, serviceOf } from "../transport/forwarding/forwarding-record.ts";
import { RequestBodies } from "../transport/http/request-bodies.ts";
import { RequestGate } from "../transport/http/request-gate.ts";
import { HttpRouter } from "../transport/http/router.ts";
import { Routes } from "../transport/http/routes.ts";
import { StreamBuffers } from "../transport/http/stream-buffers.ts";
import { TrustedProxies } from "../transport/http/trusted-proxies.ts";
import { LongPollTransport } from "../transport/longpoll/longpoll-transport.ts";
import { timeLimitsOf } from "../transport/mount-options.ts";
import { Sweep, tickFor } from "../transport/sweep.ts";
import { TcpConnections } from "../transport/tcp-connections.ts";
import type { Transport, TransportShard } from "../transport/transport.ts";
import { Turn } from "../transport/turn.ts";
import { limitUnjoined } from "../transport/unjoined-connections.ts";
import { EnginePublisher } from "../transport/websocket/engine-publisher.ts";
import type { WebSocketConnection } from "../transport/websocket/websocket-connection.ts";
import {
  FRAME_SLACK_BYTES,
  WebSocketTransport,
} from "../transport/websocket/websocket-transport.ts";
import type { FigureName, ShardDrain, ShardStart } from "./control.ts";
import { ExchangeForwarding } from "./exchange-forwarding.ts";
import { Heartbeat } from "./heartbeat.ts";
import { answerOf, type Answer, type Question } from "./introspection.ts";
import { OverloadWatch } from "./overload-watch.ts";
import { ResidentWatch } from "./resident-watch.ts";
import { ShardCore } from "./shard-core.ts";
import { ShardFigures } from "./shard-figures.ts";

/** Time for routes to answer after their calls to other transports have been rejected. */
const LAST_ANSWERS_MS = 100;

/** A shard. */
export class Shard {
  readonly app: EngineApp;
  readonly #engine: Engine;
  readonly #start: ShardStart;
  readonly #endpoint: EndpointDefinition;
  readonly #logger: Logger;
  readonly #core: ShardCore;
  readonly #tcp: TcpConnections;
  readonly #routes: Routes<ShardContext>;
  readonly #transports: readonly Transport[];
  readonly #sweep: Sweep;
  readonly #pauses: FloodPauses | undefined;
  readonly #overload: OverloadWatch;
  readonly #heartbeat: Heartbeat;
  readonly #buffers: BufferWatch;
  readonly #resident: ResidentWatch;
  #drained: Promise<ShardDrain> | undefined;
  /** What there was to drain when the first drain began. */
  #before: Pick<ShardDrain, "channels" | "sessions"> | undefined;
  #finished: Promise<void> | undefined;
  /** The app's `stop`; undefined until it has returned. */
  #stopped: Promise<void> | undefined;
  #isStopCalled = false;
  /** Settles when the app no longer listens, if it has been told so. */
  #stoppedListening: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor({
    start,
    endpoint,
    engine,
    tasks,
    logger,
    onRotation,
    onFigure,
  }: {
    readonly start: ShardStart;
    readonly endpoint: EndpointDefinition;
    readonly engine: Engine;
    readonly tasks: Tasks;
    readonly logger: Logger;
    /**
     * Called when main should remove the shard from the rotation (false) or add it again (true).
     */
    readonly onRotation: (isIn: boolean) => void;
    /** Called once for each figure of a custom transport, before its first value. */
    readonly onFigure: (named: FigureName) => void;
  }) {
    const { memory, options, member } = start;
    const counters = new Counters(memory.counters, member);
    this.#start = start;
    this.#endpoint = endpoint;
    this.#logger = logger;
    this.#engine = engine;
    const proxies = proxiesOf(start, endpoint, engine);
    const { proxyHeaders } = proxies ?? {};
    this.app = engine.createApp({ ...options, tls: start.tls, proxyHeaders });
    this.#overload = new OverloadWatch(options, counters, logger, onRotation);
    const tcp = new TcpConnections({ memory: memory.counters, counters, options, logger });
    tcp.watch(this.app);
    this.#tcp = tcp;
    const waiting = waitingBytesOf(options);
    const room = new BroadcastRoom(options.maxBufferBytes / options.shards);
    const shared = { ...sharedOf(start, counters, logger), waiting };
    const published = new ConnectionSet<WebSocketConnection>("websocket", shared);
    const turn = new Turn();
    this.#core = new ShardCore({
      start,
      counters,
      publisher: new EnginePublisher(this.app, published, turn),
      tasks,
      logger,
      endpoint,
      waiting,
      room,
      clock: monotonicMs,
      takesMore: () => this.#overload.takesMore,
      onForwardingRecord: ({ from, record }) => {
        if (serviceOf(record) === SERVICE.calls) custom.receive(from, record);
        else longpoll.receive(from, record);
      },
    });
    const core = this.#core;
    this.#heartbeat = new Heartbeat(new Life(memory.life), member, (lagMs) => this.#beat(lagMs));
    this.#sweep = new Sweep(this.#tickMs());
    const { context, sockets, held, queued, member: self } = this.#core;
    const { app } = this;
    const admission = admissionOf(start, counters, core);
    this.#pauses = admission.pauses;
    const scheme = schemeOf(options);
    const parts = { app, context, sweep: this.#sweep, options, turn, tcp, scheme, proxies };
    const basis = { ...shared, ...admission, ...parts };
    const http = httpOf(basis);
    this.#routes = http.routes;
    const shard = { ...basis, ...http, sockets };
    const forwarding = new ExchangeForwarding(memory, member, self.exchange);
    const longpoll = new LongPollTransport(shard, forwarding);
    const websocket = new WebSocketTransport(shard, published, engine, held);
    this.#resident = residentWatchOf(websocket, this.#overload, options, counters, logger);
    const transports = endpoint.transports ?? [];
    const figures = new ShardFigures(memory, member, onFigure);
    const { routes } = http;
    const custom = new CustomTransports(shard, transports, { routes, port: forwarding, figures });
    this.#transports = [websocket, longpoll, custom];
    limitUnjoined(shard, this.#transports);
    this.#buffers = watchBuffers({
      ...buffersOf(start, counters, logger),
      sources: [...this.#transports, waiting, http.bodies, http.streams, queued, self.exchange],
      onHeld: (heldBytes) => room.sampled(heldBytes),
    });
  }

  /** Runs the app's `start`, mounts sockets and routes, and starts receiving records. */
  async start(): Promise<void> {
    const endpoint = this.#endpoint;
    const { context } = this.#core;
    // First, because a member may have to be retired while the app starts.
    this.#core.attach();
    await startApp(endpoint, context);
    if (this.#isClosed) return;
    for (const [path, options] of Object.entries(endpoint.sockets)) {
      const mount = this.#core.makeMount(path, options);
      for (const transport of this.#transports) transport.mount({ mount, options, endpoint });
    }
    for (const [name, route] of Object.entries(endpoint.routes ?? {}))
      this.#routes.add(name, route);
    this.#sweep.add(() => this.#core.checkTimeouts(performance.now()));
    this.#sweep.add(() => this.#core.refreshRates(this.#pauses?.areUsed === true));
    this.#sweep.start();
    this.#heartbeat.start();
    this.#resident.start();
    this.#core.start();
    // Last, because clients may connect from here on.
    for (const transport of this.#transports) await transport.start?.();
  }

  /**
   * Makes the app listen, if main does not deal connections to it.
   *
   * @returns false if the port is not available, or the shard has been closed
   */
  async tryListen({ host, port, isShared }: ListeningPlace): Promise<boolean> {
    if (this.#isClosed) return false;
    try {
      await this.#engine.listen(this.app, host, port, isShared);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Makes the app stop listening.
   *
   * @param isFull - whether the node has no room for connections that wait to be accepted
   */
  stopListening(isFull: boolean): void {
    if (!this.#isClosed) this.#stoppedListening = this.#engine.stopListening(this.app, isFull);
  }

  /**
   * Closes all connections and ends all channels. Accepts no new ones, but still serves routes. A
   * second call changes the pace.
   */
  async drain(pace: DrainPace): Promise<ShardDrain> {
    if (this.#drained) void this.#drainTransports(pace);
    this.#drained ??= this.#drain(pace);
    return this.#drained;
  }

  /** Runs the app's `stop`, and waits until the last broadcasts are in the rings. */
  async finish(): Promise<void> {
    this.#finished ??= this.#finish();
    return this.#finished;
  }

  /**
   * Continues after main has ended what this thread ran (`forced-end`). Call `drain` and `finish` again if they were
   * under way.
   */
  recover(): void {
    this.#drained = undefined;
    this.#finished = undefined;
    this.#routes.recover();
    for (const transport of this.#transports) transport.recover();
    this.#core.recover();
  }

  /** Closes all connections at once. */
  cut(): void {
    for (const transport of this.#transports) transport.cut();
  }

  /**
   * Closes the engine's app and everything that keeps the thread alive. The shard serves nothing
   * afterwards.
   */
  close(): void {
    this.#closeEngine();
    // `app.close` closes the engine's sockets. This closes all other connections.
    this.cut();
    this.#core.stop();
  }

  /** Closes it without user code, after main has ended what `close` had called. */
  abandon(): void {
    this.#core.abandonCallbacks();
    this.#closeEngine();
    this.#core.stop();
  }

  #closeEngine(): void {
    this.#isClosed = true;
    this.#sweep.stop();
    this.#heartbeat.stop();
    this.#buffers.stop();
    this.#resident.stop();
    this.#core.endWindow();
    this.#tcp.close();
    this.app.close();
  }

  /**
   * Delivers the records that a member wrote before it ended, and then forgets the member.
   *
   * @param hasLost - whether the member ended with unsent records
   */
  retire(member: number, hasLost: boolean): void {
    this.#core.member.retire(member, hasLost);
    for (const transport of this.#transports) transport.memberGone?.(member);
  }

  /** Answers a question from main. */
  async answer(question: Question): Promise<Answer> {
    const { shard } = this.#start;
    const sockets = (): Iterable<ServedSocket> =>
      this.#transports.flatMap((transport) => [...transport.sockets()]);
    const { pubsub, presences } = this.#core;
    return answerOf(question, { shard, pubsub, sockets, presences });
  }

  #beat(lagMs: number): void {
    this.#core.failEnded();
    this.#overload.sample(lagMs);
  }

  async #drain(pace: DrainPace): Promise<ShardDrain> {
    const { memory, member, options } = this.#start;
    this.#before ??= readCounters(memory.counters, member);
    const { sessions, channels } = this.#before;
    const counts = await this.#drainTransports(pace);
    const [unsettled] = await Promise.all([
      this.#core.allEnded(options.shutdownMs),
      this.#routes.allAnswered(options.shutdownMs),
    ]);
    return { ...counts, sessions, channels, unsettled };
  }

  async #drainTransports(pace: DrainPace): Promise<DrainCounts> {
    const counts = await Promise.all(this.#transports.map((transport) => transport.drain(pace)));
    return counts.reduce((sum, of) => ({
      connections: sum.connections + of.connections,
      closed: sum.closed + of.closed,
      cut: sum.cut + of.cut,
    }));
  }

  async #finish(): Promise<void> {
    const { member, presences } = this.#core;
    await this.#stoppedListening;
    for (const transport of this.#transports) transport.finish?.();
    // A route that waited for a call to another transport has just got an error.
    await this.#routes.allAnswered(LAST_ANSWERS_MS);
    try {
      await this.#stopApp();
    } catch (error) {
      this.#logger.log("stopFailed", { err: error });
    }
    presences.stop();
    this.#core.endWindow();
    await member.exchange.sent(this.#start.options.shutdownMs);
    // The last answers: when the app is closed, those that are not sent are lost.
    await closePhaseDone();
  }

  /** Runs the app's `stop` once. @throws what it throws; SIM_ERR_CALLBACK_ENDED if main has ended it */
  async #stopApp(): Promise<void> {
    if (this.#isStopCalled && !this.#stopped) throw callbackEnded("stop");
    this.#isStopCalled = true;
    this.#stopped ??= Promise.resolve(this.#endpoint.stop?.(this.#core.context));
    await this.#stopped;
  }

  /** Returns a sweep interval that is short enough to enforce each of the shard's time limits. */
  #tickMs(): number {
    const { options } = this.#start;
    const limitsMs = Object.values(this.#endpoint.sockets).flatMap((mount) => [
      ...timeLimitsOf(mount, options),
      ...joinTimeoutsOf(mount),
    ]);
    const { idleTimeoutMs, handlerTimeoutMs, joinTimeoutMs, bodyTimeoutMs } = options;
    limitsMs.push(idleTimeoutMs, handlerTimeoutMs, joinTimeoutMs, bodyTimeoutMs);
    return tickFor(options.unjoinedTimeoutMs, ...limitsMs);
  }
}

/** Returns the state shared by all connections of a shard. */
function sharedOf(
  start: ShardStart,
  counters: Counters,
  logger: Logger,
): Omit<SharedByConnections, "waiting"> {
  const { memory, options, shard, predecessors } = start;
  const life = new Life(memory.life);
  return {
    counters,
    logger,
    numbers: new ConnectionNumbers(shard, options.shards, predecessors),
    options,
    isNodeDrained: () => life.isDraining,
  };
}

/** Returns what serves a shard's HTTP requests, whatever they are for. */
function httpOf({
  app,
  context,
  sweep,
  turn,
  tcp,
  scheme,
  proxies,
  options,
  counters,
  logger,
}: Pick<
  TransportShard,
  | "app"
  | "context"
  | "counters"
  | "logger"
  | "options"
  | "proxies"
  | "scheme"
  | "sweep"
  | "tcp"
  | "turn"
>): {
  readonly bodies: RequestBodies;
  readonly requests: RequestGate;
  readonly router: HttpRouter;
  readonly streams: StreamBuffers;
  readonly routes: Routes<ShardContext>;
} {
  const bodies = new RequestBodies(options.bodyTimeoutMs, sweep);
  const requests = new RequestGate({ bodies, turn, tcp, options, counters });
  const router = new HttpRouter({ app, requests, scheme, proxies, counters, logger });
  const streams = new StreamBuffers();
  const routes = new Routes({ router, context, options, logger, tcp, streams });
  return { bodies, requests, router, streams, routes };
}

/** Returns what a watch of the shard's buffers needs, without the buffers. */
function buffersOf(
  { memory, member, options }: ShardStart,
  counters: Counters,
  logger: Logger,
): Omit<BufferWatchParts, "sources"> {
  const { maxBufferBytes } = options;
  return { memory: memory.buffers, member, counters, logger, maxBufferBytes };
}

function waitingBytesOf({ maxWaitingBytes, overloadHeapBytes }: ResolvedOptions): WaitingBytes {
  return new WaitingBytes(maxWaitingBytes, maxTotalWithin(overloadHeapBytes));
}

/** Returns the watch of the process's memory. */
function residentWatchOf(
  connections: WebSocketTransport,
  overload: OverloadWatch,
  { maxResidentBytes, maxFrameBytes, shards }: ResolvedOptions,
  counters: Counters,
  logger: Logger,
): ResidentWatch {
  return new ResidentWatch({
    maxResidentBytes,
    maxMessageBytes: maxFrameBytes + FRAME_SLACK_BYTES,
    shards,
    connections,
    counters,
    logger,
    resident: () => overload.residentBytes,
  });
}

/** Returns what limits which clients may connect. */
function admissionOf(
  start: ShardStart,
  counters: Counters,
  core: ShardCore,
): Pick<TransportShard, "pauses" | "pending" | "places"> {
  return {
    pauses: pausesOf(start, core),
    pending: new PendingConnects(start.options.maxPendingConnects),
    places: placesOf(start, counters),
  };
}

/**
 * Returns whom the shard believes who its clients are; undefined if each is the peer of its connection.
 *
 * @throws SIM_ERR_DEFINITION_INVALID if the engine does not read the PROXY headers that are expected
 */
function proxiesOf(
  { attachSecret, options }: ShardStart,
  { trustProxy, proxyProtocol }: EndpointDefinition,
  { kind }: Pick<Engine, "kind">,
): TrustedProxies | undefined {
  if (kind === "native" && proxyProtocol === "v1") {
    throw invalid(
      'proxyProtocol must be "v2" with the native engine, got "v1", which only the portable one reads (SIMURGH_ENGINE=portable)',
    );
  }
  if (trustProxy === undefined && attachSecret === undefined) return undefined;
  return new TrustedProxies({ trustProxy, proxyProtocol }, schemeOf(options), attachSecret);
}

/** Returns the places of addresses, if these are limited. */
function placesOf(
  { memory, member, options }: ShardStart,
  counters: Counters,
): AddressPlaces | undefined {
  const { maxConnectionsPerAddress } = options;
  if (!memory.addresses) return undefined;
  const counts = new AddressCounts(memory.addresses, member);
  return new AddressPlaces(counts, maxConnectionsPerAddress, counters);
}

/** Returns the pauses of addresses after floods, if there are any. */
function pausesOf({ memory, options }: ShardStart, { rates }: ShardCore): FloodPauses | undefined {
  const { floodPauseMs } = options;
  if (floodPauseMs === 0) return undefined;
  return new FloodPauses(rates, memory.counters, floodPauseMs, monotonicMs);
}

/** Returns the join timeouts (ms) set by a mount's channels. */
function joinTimeoutsOf(mount: AnyMountDefinition): number[] {
  if (isRawMountDefinition(mount)) return [];
  const channels = Object.values(mount.channels).map((it) => routeOf(it).channel);
  return channels.flatMap(({ joinTimeoutMs }) => joinTimeoutMs ?? []);
}
