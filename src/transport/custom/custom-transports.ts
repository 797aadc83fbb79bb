/**
 * The custom transports of an endpoint, which start and stop with the shard.
 *
 * Runs on: shard; one instance for all of them.
 */

import { isThenable, promised, settledInTime } from "../../callbacks/promises.ts";
import type { ShardContext } from "../../channel/context.ts";
import type { BufferVisit } from "../../held-bytes.ts";
import type { ServedSocket } from "../../socket/served-socket.ts";
import { ConnectionSet, type SharedByConnections } from "../connection-set.ts";
import type { DrainCounts, DrainPace } from "../drain.ts";
import type { ForwardingPort, ShardAddress } from "../forwarding/forwarding-port.ts";
import { handshakePolicyOf } from "../handshake/handshake-options.ts";
import type { Routes } from "../http/routes.ts";
import type { ServedMount, Transport } from "../transport.ts";
import type { CustomConnection } from "./custom-connection.ts";
import { CustomConnections, type CustomShard } from "./custom-connections.ts";
import type { TransportDefinition, TransportHost } from "./definition.ts";
import type { FigureBoard } from "./figure-board.ts";
import { TransportCalls } from "./transport-calls.ts";
import { TransportFigures } from "./transport-figures.ts";

/** The part of a shard that custom transports use. A shard without an engine has it too. */
export type CustomTransportsShard = SharedByConnections & CustomShard;

/** What the hosts of custom transports use, besides the shard. */
export interface CustomParts {
  readonly routes: Routes<ShardContext>;
  readonly port: ForwardingPort;
  readonly figures: FigureBoard;
}

/** All custom transports of a shard. */
export class CustomTransports implements Transport {
  readonly #shard: CustomTransportsShard;
  readonly #definitions: readonly TransportDefinition[];
  readonly #routes: Routes<ShardContext>;
  readonly #open: ConnectionSet<CustomConnection>;
  readonly #connections: CustomConnections;
  readonly #calls: TransportCalls;
  readonly #figures: TransportFigures;
  readonly #started: TransportDefinition[] = [];
  #isStopped = false;

  constructor(
    shard: CustomTransportsShard,
    definitions: readonly TransportDefinition[],
    { routes, port, figures }: CustomParts,
  ) {
    this.#shard = shard;
    this.#definitions = definitions;
    this.#routes = routes;
    this.#open = new ConnectionSet("custom", shard);
    this.#connections = new CustomConnections(this.#open, shard);
    this.#calls = new TransportCalls(shard, port);
    this.#figures = new TransportFigures(figures);
    shard.sweep.add(() => this.#calls.check(performance.now()));
  }

  mount({ mount, options, endpoint }: ServedMount): void {
    this.#connections.mount(mount, handshakePolicyOf(mount.path, endpoint, options, {}));
  }

  /** Starts the transports, one after the other. @throws whatever a transport throws */
  async start(): Promise<void> {
    for (const definition of this.#definitions) {
      if (this.#isStopped) return;
      // Added before the call, so that a transport whose start fails halfway is also stopped.
      this.#started.push(definition);
      await definition.start(this.#hostFor(definition.name));
    }
  }

  sockets(): Iterable<ServedSocket> {
    return this.#open.sockets();
  }

  get size(): number {
    return this.#open.size;
  }

  get maxHeldBytes(): number {
    return this.#open.maxHeldBytes + this.#connections.waitingBytes + this.#calls.heldBytes;
  }

  visitHeld(visit: BufferVisit): void {
    this.#open.visitHeld(visit);
    this.#calls.visitHeld(visit);
  }

  async drain(pace: DrainPace): Promise<DrainCounts> {
    const stopped = this.#stop((stopping) => settledInTime(stopping, pace.deadlineMs));
    const counts = await this.#open.drain(pace);
    await stopped;
    return counts;
  }

  /** Ends all calls. Until then, while the shard drains, transports can call and be called. */
  finish(): void {
    this.#calls.close();
  }

  recover(): void {
    this.#connections.recover();
    this.#open.recover();
  }

  cut(): void {
    // Nothing waits for `stop` here, so it has no time limit.
    void this.#stop(promised);
    this.#open.cut();
    this.#calls.close();
  }

  memberGone(member: number): void {
    this.#calls.memberGone(member);
  }

  /** Handles a record of a call that another shard places or answers. */
  receive(from: ShardAddress, record: Uint8Array): void {
    this.#calls.receive(from, record);
  }

  #hostFor(name: string): TransportHost {
    return {
      context: this.#shard.context,
      log: this.#shard.logger.sinkFor(`transport ${name}`, { transport: name }),
      connect: async (request) => this.#connections.connect(name, request),
      allowsOrigin: (path, http) => this.#connections.allowsOrigin(name, path, http),
      route: (route, handler) => this.#routes.add(route, handler),
      ...this.#calls.hostOf(name),
      measure: (figure, value) => this.#figures.measure(name, figure, value),
    };
  }

  /** @param settled - waits for the promise of an asynchronous `stop`, up to a time limit */
  async #stop(settled: (stopping: PromiseLike<unknown>) => Promise<unknown>): Promise<void> {
    this.#isStopped = true;
    const stopping = this.#started.splice(0).map(async ({ name, stop }) => {
      try {
        const result = stop();
        if (isThenable(result)) await settled(result);
      } catch (error) {
        this.#shard.logger.log("transportFailed", { transport: name, err: error });
      }
    });
    await Promise.all(stopping);
  }
}
