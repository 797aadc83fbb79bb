/**
 * A shard without an engine or threads, used to test channels.
 *
 * It uses the same core as every shard, on memory that is not shared, so channels behave as they do
 * in a server. The app's custom transports run as well; HTTP routes are checked, but nobody serves
 * them. If `ticks` is false, nothing is swept, and callbacks and joins never time out.
 *
 * Runs on: the thread of a test.
 */

import { BroadcastRoom } from "../channel/broadcast-room.ts";
import type { ShardContext } from "../channel/context.ts";
import { ok } from "../callbacks/results.ts";
import { WaitingBytes } from "../callbacks/waiting-bytes.ts";
import type { Logger } from "../log/logger.ts";
import { makeBufferGaugesMemory } from "../memory/buffer-gauges.ts";
import { Counters, makeCountersMemory } from "../memory/counters.ts";
import { makeFiguresMemory } from "../memory/figures.ts";
import { lifeBytes } from "../memory/life-layout.ts";
import { Life } from "../memory/life.ts";
import { makeRunningMemory } from "../memory/running.ts";
import { makeRateTableMemory } from "../memory/rate-table.ts";
import { makeError } from "../errors.ts";
import { monotonicMs } from "../limits/clock.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { DEFAULT_SERIALIZERS } from "../protocol/version.ts";
import { makeExchangeMemory } from "../pubsub/exchange-layout.ts";
import type { Broadcast } from "../pubsub/envelope.ts";
import { KeptTopics } from "../pubsub/kept-topics.ts";
import { subscriptionIndexBytes } from "../pubsub/subscription-index-layout.ts";
import type { ConnectInfo } from "../socket/connect-request.ts";
import type { AnyMount } from "../socket/mount.ts";
import { PendingConnects } from "../socket/pending-connects.ts";
import { ConnectionNumbers } from "../transport/connection-numbers.ts";
import { ConnectionSet } from "../transport/connection-set.ts";
import type { CustomConnection } from "../transport/custom/custom-connection.ts";
import { CustomConnections } from "../transport/custom/custom-connections.ts";
import { CustomTransports } from "../transport/custom/custom-transports.ts";
import type { TransportDecision } from "../transport/custom/definition.ts";
import {
  handshakePolicyOf,
  type HandshakePolicy,
} from "../transport/handshake/handshake-options.ts";
import type { ForwardingPort } from "../transport/forwarding/forwarding-port.ts";
import { matchPath } from "../transport/http/path.ts";
import type { RequestHead } from "../transport/http/request-head.ts";
import { Routes, type RoutesParts } from "../transport/http/routes.ts";
import { StreamBuffers } from "../transport/http/stream-buffers.ts";
import { Sweep, tickFor } from "../transport/sweep.ts";
import type { BudgetedTurn } from "../transport/turn-budget.ts";
import type { NodeMemory } from "../shard/control.ts";
import { websocketOptionsOf } from "../transport/websocket/websocket-options.ts";
import { keptPatternsOf, startApp, type EndpointDefinition } from "../endpoint/endpoint.ts";
import { InlineTasks } from "../tasks/inline-tasks.ts";
import { ShardCore } from "../shard/shard-core.ts";
import { ShardFigures } from "../shard/shard-figures.ts";
import { SOLO_KEEPER, SoloKeeper } from "./solo-keeper.ts";
import { SoloConnection, type SoloClient } from "./solo-connection.ts";

export type { ShardContext } from "../channel/context.ts";

/** Results to use in place of a socket's `connect` and `id`. */
export interface SoloIdentity {
  readonly id: string | null;
  readonly assigns: unknown;
}

/** A request to connect. */
export interface SoloRequest {
  /**
   * The socket's path, with or without values for its variables; undefined selects the only socket.
   */
  readonly path: string | undefined;
  readonly params: Readonly<Record<string, unknown>>;
  /** Overrides the connect info of a client on this machine. */
  readonly connectInfo: Partial<ConnectInfo>;
  /** If set, used instead of calling `connect` and `id`. */
  readonly identity: SoloIdentity | undefined;
}

/** The outcome of a request to connect. */
export type SoloDecision =
  | { readonly result: "ok"; readonly connection: SoloConnection }
  | Exclude<TransportDecision, { readonly result: "ok" }>;

/** Called for each broadcast on a topic. */
export type SoloSubscriber = (broadcast: Broadcast) => void;

/** A mount, with its WebSocket handshake policy. */
interface SoloMount {
  readonly path: string;
  readonly mount: AnyMount;
  readonly policy: HandshakePolicy;
}

/** A turn whose budget is never spent: the messages of a test are handled at once. */
const ENDLESS_TURN: BudgetedTurn = {
  isOvercharged: false,
  isSpent: () => false,
  later: (work) => void setImmediate(work),
  onEnd() {},
};

const MEMBER = 0;
/** The way to other shards, of which there are none. */
const NO_WAY: ForwardingPort = {
  address: { node: "solo", member: MEMBER },
  reaches: () => false,
  generationOf: (member) => (member === MEMBER ? 0 : undefined),
  send: () => false,
};
/** All connections end together. */
const AT_ONCE = { rounds: 1, intervalMs: 0, spreadMs: 0, isOfNode: true } as const;
const VSN = "2.0.0";
/** Size of the rate table; small, because tests use few ids and addresses. */
const SOLO_RATE_BITS = 12;

/** A shard without an engine. */
export class SoloShard {
  readonly #endpoint: EndpointDefinition;
  readonly #logger: Logger;
  readonly #core: ShardCore;
  readonly #mounts: readonly SoloMount[];
  readonly #sweep: Sweep;
  /** Undefined if no channel declares a history. */
  readonly #keeper: SoloKeeper | undefined;
  readonly #ticks: boolean;
  /** Number of connections created with a given identity. */
  #identified = 0;
  readonly #listeners = new Map<SoloSubscriber, object>();
  readonly #open: ConnectionSet<CustomConnection>;
  /** Test connections use a custom transport. */
  readonly #connections: CustomConnections;
  /** Those of the app. */
  readonly #transports: CustomTransports;

  constructor({
    endpoint,
    options,
    data,
    logger,
    ticks,
    transports,
  }: {
    readonly endpoint: EndpointDefinition;
    readonly options: ResolvedOptions;
    readonly data: unknown;
    readonly logger: Logger;
    /** Whether the sweep runs, so that timeouts take effect. */
    readonly ticks: boolean;
    /** Whether the app's custom transports run. */
    readonly transports: boolean;
  }) {
    const kept = keptPatternsOf(endpoint);
    const topics = new KeptTopics(kept);
    const memory = makeSoloMemory(options, topics);
    new Life(memory.life).setReady(true);
    this.#endpoint = endpoint;
    this.#logger = logger;
    this.#ticks = ticks;
    this.#sweep = new Sweep(tickFor(options.handlerTimeoutMs, options.joinTimeoutMs));
    const counters = new Counters(memory.counters, MEMBER);
    const waiting = new WaitingBytes(options.maxWaitingBytes, Infinity);
    this.#keeper = topics.isEmpty
      ? undefined
      : new SoloKeeper({
          kept: topics,
          options,
          counters,
          logger,
          shard: () => this.#core.pubsub,
        });
    this.#core = new ShardCore({
      ...(this.#keeper && { keeperLine: this.#keeper }),
      waiting,
      room: new BroadcastRoom(options.maxBufferBytes),
      start: { memory, options, member: MEMBER, shard: 0, data, kept },
      counters,
      publisher: { charge() {}, publish() {} },
      tasks: new InlineTasks(endpoint.tasks?.href),
      logger,
      endpoint,
      clock: monotonicMs,
      takesMore: () => true,
      onForwardingRecord() {},
    });
    const shared = {
      counters,
      logger,
      numbers: new ConnectionNumbers(0, 1, 0),
      options,
      isNodeDrained: () => false,
      waiting,
    };
    this.#open = new ConnectionSet("test", shared);
    const { sockets, context } = this.#core;
    const shard = {
      ...shared,
      sockets,
      context,
      turn: ENDLESS_TURN,
      pending: new PendingConnects(options.maxPendingConnects),
      places: undefined,
      pauses: undefined,
      proxies: undefined,
      sweep: this.#sweep,
    };
    this.#connections = new CustomConnections(this.#open, shard);
    const used = transports ? (endpoint.transports ?? []) : [];
    this.#transports = new CustomTransports(shard, used, {
      routes: routesOf(endpoint, { context, options, logger }),
      port: NO_WAY,
      figures: new ShardFigures(memory, MEMBER, () => {}),
    });
    this.#mounts = this.#mountAll();
    this.#sweep.add(() => this.#core.checkTimeouts(performance.now()));
    this.#sweep.add(() => this.#keeper?.trim());
  }

  #mountAll(): SoloMount[] {
    const endpoint = this.#endpoint;
    return Object.entries(endpoint.sockets).map(([path, given]) => {
      const mount = this.#core.makeMount(path, given);
      const websocket = websocketOptionsOf(given) ?? {};
      const whole = handshakePolicyOf(path, endpoint, given, websocket);
      // Tests use version 2, regardless of the mount's serializers.
      const policy = { ...whole, serializers: DEFAULT_SERIALIZERS };
      this.#connections.mount(mount, policy);
      this.#transports.mount({ mount, options: given, endpoint });
      return { path, mount, policy };
    });
  }

  get context(): ShardContext {
    return this.#core.context;
  }

  /** Runs the app's `start`, and starts its transports. If one of them throws, the shard is stopped again. */
  async start(): Promise<void> {
    if (this.#ticks) this.#sweep.start();
    await startApp(this.#endpoint, this.context);
    try {
      await this.#transports.start();
    } catch (error) {
      await this.stop(0).catch(() => {});
      throw error;
    }
  }

  /**
   * Closes all connections, stops the transports, waits until all channels have ended, and runs the app's `stop`.
   *
   * @param timeoutMs - time for the transports to stop, and for their clients to read what is unsent
   */
  async stop(timeoutMs: number): Promise<void> {
    this.#open.cut();
    await this.#transports.drain({ ...AT_ONCE, deadlineMs: timeoutMs });
    await this.#core.allEnded();
    this.#transports.finish();
    await this.#endpoint.stop?.(this.context);
    this.#core.presences.close();
    this.#core.pubsub.keeping?.stop();
    this.#keeper?.stop();
    this.#sweep.stop();
  }

  /**
   * Connects a client. Calls the socket's `connect` and `id` unless the request has an identity.
   *
   * @throws SIM_ERR_OPTION_INVALID if no socket has the given path
   */
  async connect(request: SoloRequest, client: SoloClient): Promise<SoloDecision> {
    const found = this.#find(request.path);
    const asked = request.path ?? found.path;
    const { identity } = request;
    const path = identity === undefined ? asked : this.#mountOf(found, identity);
    const params = { ...request.params, vsn: VSN };
    const { secretKeyBase } = this.context;
    const head = localHead(asked);
    const call = { head, scheme: "http", params, authToken: null, secretKeyBase } as const;
    const local = found.policy.connectInfo.collect(call, this.#logger);
    const connectInfo = { ...local, ...request.connectInfo };
    const decision = await this.#connections.connect("test", { path, params, connectInfo });
    if (decision.result !== "ok") return decision;
    const connection = decision.open({
      send: (frame) => client.onFrame(frame),
      close: (code) => client.onClose(code),
    });
    return { result: "ok", connection: new SoloConnection(connection) };
  }

  subscribe(topic: string, subscriber: SoloSubscriber): void {
    const listener = { receive: subscriber, missed() {} };
    this.#listeners.set(subscriber, listener);
    this.#core.pubsub.subscribe(topic, listener);
  }

  /** Broadcasts to all subscribers of a topic except `from`. */
  broadcastFrom(
    from: SoloSubscriber | undefined,
    topic: string,
    event: string,
    payload: unknown,
  ): void {
    const left = from && this.#listeners.get(from);
    this.#core.pubsub.broadcast(topic, event, payload ?? {}, "cluster", left);
  }

  /** Mounts a socket under another path, with callbacks that return the given identity. */
  #mountOf({ mount, policy }: SoloMount, { id, assigns }: SoloIdentity): string {
    this.#identified += 1;
    const path = `${mount.path}/identified/${this.#identified}`;
    const definition = { ...mount.definition, connect: () => ok(assigns), id: () => id };
    const identified = { ...mount, path, definition } as AnyMount;
    this.#connections.mount(identified, policy);
    return path;
  }

  #find(path: string | undefined): SoloMount {
    const [only] = this.#mounts;
    if (path === undefined && only && this.#mounts.length === 1) return only;
    const found = this.#mounts.find(
      (mount) => path !== undefined && matchPath(mount.path, path) !== undefined,
    );
    if (found) return found;
    const paths = this.#mounts.map((mount) => mount.path).join(", ");
    throw makeError(
      "SIM_ERR_OPTION_INVALID",
      `path must be one of ${paths}, got ${path ?? "none"}`,
    );
  }
}

/** Checks the app's routes, and those that its transports add. No request reaches them. */
function routesOf(
  { routes: own = {} }: EndpointDefinition,
  parts: Pick<RoutesParts<ShardContext>, "context" | "logger" | "options">,
): Routes<ShardContext> {
  const routes = new Routes<ShardContext>({
    ...parts,
    router: { serve() {} },
    tcp: { requested() {}, answered() {} },
    streams: new StreamBuffers(),
  });
  for (const [name, route] of Object.entries(own)) routes.add(name, route);
  return routes;
}

/** Returns the head of a request from a client on this machine. */
function localHead(path: string): RequestHead {
  return {
    method: "GET",
    path: `${path}/websocket`,
    query: `vsn=${VSN}`,
    pathParams: {},
    isFramed: true,
    isLast: false,
    headers: [["host", "localhost"]],
    bodyBytes: 0,
    peerAddress: "127.0.0.1",
    scheme: "http",
    forwardedHost: undefined,
    isAdmitted: true,
  };
}

/** Allocates the memory of a node with a single member. */
function makeSoloMemory(options: ResolvedOptions, kept: KeptTopics): NodeMemory {
  const indexLayout = { indexBits: options.indexBits, members: 1 };
  return {
    exchange: makeExchangeMemory({ members: 1, ringBytes: options.ringBytes }),
    index: new SharedArrayBuffer(subscriptionIndexBytes(indexLayout)),
    indexLayout,
    counters: makeCountersMemory(1),
    life: new SharedArrayBuffer(lifeBytes(1)),
    running: makeRunningMemory(1),
    buffers: makeBufferGaugesMemory(1),
    figures: makeFiguresMemory(1),
    rates: makeRateTableMemory(SOLO_RATE_BITS, "solo"),
    addresses: undefined,
    hashSeed: 0,
    link: -1,
    keepers: kept.isEmpty ? [] : [SOLO_KEEPER],
    nodeName: "solo",
  };
}
