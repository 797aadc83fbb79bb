/**
 * The custom transports of an endpoint, which start and stop with the shard.
 *
 * Runs on: shard; one instance for all of them.
 */

import { isThenable, settledInTime } from "../../callbacks/promises.ts";
import type { ShardContext } from "../../channel/context.ts";
import type { BufferVisit } from "../../held-bytes.ts";
import type { ServedSocket } from "../../socket/served-socket.ts";
import { ConnectionSet } from "../connection-set.ts";
import type { DrainCounts, DrainPace } from "../drain.ts";
import { handshakePolicyOf } from "../handshake/handshake-options.ts";
import type { Routes } from "../http/routes.ts";
import type { ServedMount, Transport, TransportShard } from "../transport.ts";
import type { CustomConnection } from "./custom-connection.ts";
import { CustomConnections } from "./custom-connections.ts";
import type { TransportDefinition, TransportHost } from "./definition.ts";

/** All custom transports of a shard. */
export class CustomTransports implements Transport {
  readonly #shard: TransportShard;
  readonly #definitions: readonly TransportDefinition[];
  readonly #routes: Routes<ShardContext>;
  readonly #open: ConnectionSet<CustomConnection>;
  readonly #connections: CustomConnections;
  readonly #started: TransportDefinition[] = [];
  #isStopped = false;

  constructor(
    shard: TransportShard,
    definitions: readonly TransportDefinition[],
    routes: Routes<ShardContext>,
  ) {
    this.#shard = shard;
    this.#definitions = definitions;
    this.#routes = routes;
    this.#open = new ConnectionSet("custom", shard);
    this.#connections = new CustomConnections(this.#open, shard);
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

  get maxHeldBytes(): number {
    return this.#open.maxHeldBytes;
  }

  visitHeld(visit: BufferVisit): void {
    this.#open.visitHeld(visit);
  }

  async drain(pace: DrainPace): Promise<DrainCounts> {
    const stopped = this.#stop(pace.deadlineMs);
    const counts = await this.#open.drain(pace);
    await stopped;
    return counts;
  }

  recover(): void {
    this.#open.recover();
  }

  cut(): void {
    void this.#stop(0);
    this.#open.cut();
  }

  #hostFor(name: string): TransportHost {
    return {
      context: this.#shard.context,
      connect: async (request) => this.#connections.connect(name, request),
      route: (route, handler) => this.#routes.add(route, handler),
    };
  }

  async #stop(timeoutMs: number): Promise<void> {
    this.#isStopped = true;
    const stopping = this.#started.splice(0).map(async ({ name, stop }) => {
      try {
        const result = stop();
        if (isThenable(result)) await settledInTime(result, timeoutMs);
      } catch (error) {
        this.#shard.logger.log("transportFailed", { transport: name, err: error });
      }
    });
    await Promise.all(stopping);
  }
}
