/**
 * The transports of the user's own: started and stopped with the shard, their connections kept.
 *
 * Runs on: shard; one for each.
 * Full: a client for which too much waits is a slow one, as far as its transport says what waits.
 */

import { settledInTime, isThenable } from "../../callbacks/promises.ts";
import type { ShardContext } from "../../channel/context.ts";
import { makeError } from "../../errors.ts";
import type { Logger } from "../../log/logger.ts";
import { CLOSE } from "../../protocol/reserved.ts";
import { decide } from "../../socket/connect.ts";
import type { AnyIdentity } from "../../socket/identity.ts";
import type { AnyMount } from "../../socket/mount.ts";
import type { ServedSocket, SocketOpener } from "../../socket/served-socket.ts";
import type { ConnectionNumbering } from "../connection-numbering.ts";
import { CustomConnection, type CustomEvents } from "./custom-connection.ts";
import type {
  TransportClient,
  TransportDecision,
  TransportDefinition,
  TransportHost,
  TransportRequest,
} from "./definition.ts";
import { Drain, type DrainCounts, type DrainPace } from "../drain.ts";
import type { SerializerList } from "../../protocol/version.ts";
import type { TransportMeter } from "../meter.ts";
import { matchPath } from "../http/path.ts";
import { roomWithin, SlowClients } from "../slow-clients.ts";
import type { Sweep } from "../sweep.ts";

/** A mount, as custom transports need it. */
export interface CustomMount {
  readonly mount: AnyMount;
  readonly serializers: SerializerList;
}

/** A decision whose connection is known in full here. */
export type CustomDecision =
  | Exclude<TransportDecision, { readonly result: "ok" }>
  | {
      readonly result: "ok";
      readonly id: string | null;
      open(client: TransportClient): CustomConnection;
    };

/** What they are made of. */
export interface CustomTransportsParts {
  readonly sockets: SocketOpener;
  readonly context: ShardContext;
  readonly numbers: ConnectionNumbering;
  /** Says whether no shard takes connections any more; this one's own drain is known here. */
  readonly isNodeDrained: () => boolean;
  readonly logger: Logger;
  readonly meter: TransportMeter;
  readonly sweep: Sweep;
  readonly maxBackpressureBytes: number;
  readonly slowClientMs: number;
}

/** All transports of the user's in a shard, and their connections. */
export class CustomTransports implements CustomEvents {
  readonly roomBytes: number;
  readonly maxBytes: number;
  readonly #parts: CustomTransportsParts;
  readonly #mounts: CustomMount[] = [];
  readonly #started: TransportDefinition[] = [];
  #isStopped = false;
  readonly #connections = new Set<CustomConnection>();
  readonly #slowClients: SlowClients<CustomConnection>;
  readonly #drain = new Drain<CustomConnection>({
    transport: "custom",
    connections: this.#connections,
    restart: (connection) => this.#restart(connection),
    cut: (connection) => connection.cut(),
  });

  constructor(parts: CustomTransportsParts) {
    this.#parts = parts;
    this.maxBytes = parts.maxBackpressureBytes;
    this.roomBytes = roomWithin(parts.maxBackpressureBytes);
    this.#slowClients = new SlowClients({
      maxBytes: parts.maxBackpressureBytes,
      patienceMs: parts.slowClientMs,
      connections: this.#connections,
      meter: parts.meter,
      logger: parts.logger,
    });
    parts.sweep.add(() => this.#slowClients.lookAtAll());
  }

  /** Open connections. */
  get size(): number {
    return this.#connections.size;
  }

  /** Lets transports connect to a socket. */
  mount(mount: CustomMount): void {
    this.#mounts.push(mount);
  }

  /** Starts transports, one after the other. @throws what one of them throws */
  async start(transports: readonly TransportDefinition[]): Promise<void> {
    for (const transport of transports) {
      if (this.#isStopped) return;
      // First: one that fails halfway may have something to stop.
      this.#started.push(transport);
      await transport.start(this.hostFor(transport.name));
    }
  }

  /** Makes what a transport of this name is given. */
  hostFor(name: string): TransportHost {
    const { context } = this.#parts;
    return { context, connect: async (request) => this.connect(name, request) };
  }

  /**
   * Has a socket's `connect` and `id` decide on a client of a transport.
   *
   * @throws SIM_ERR_OPTION_INVALID where no socket has the path
   */
  async connect(transport: string, request: TransportRequest): Promise<CustomDecision> {
    const { params: given = {}, connectInfo = {} } = request;
    const { mount, serializers, variables } = this.#find(request.path);
    const params = { ...given, ...variables };
    const { context, logger } = this.#parts;
    if (this.#isDraining) return { result: "unavailable" };
    const peerAddress = connectInfo.peerData?.address ?? null;
    const call = { mount, serializers, transport, params, connectInfo, peerAddress, context };
    const decision = await decide(call, logger);
    if (decision.result !== "ok") return decision;
    if (this.#isDraining) return { result: "unavailable" };
    const { identity } = decision;
    let isOpened = false;
    const open = (client: TransportClient): CustomConnection => {
      if (isOpened)
        throw makeError("SIM_ERR_OPTION_INVALID", "open must be called once, got twice");
      isOpened = true;
      return this.#open(transport, identity, client);
    };
    return { result: "ok", id: identity.id, open };
  }

  /**
   * Goes through the sockets of all open connections, in the order they came.
   *
   * @yields each socket
   */
  *openSockets(): Iterable<ServedSocket> {
    for (const { socket } of this.#connections) if (socket) yield socket;
  }

  /** Stops all transports, and ends all connections with 1012, in batches. */
  async drain(pace: DrainPace): Promise<DrainCounts> {
    const stopped = this.#stop(pace.deadlineMs);
    const counts = await this.#drain.run(pace);
    await stopped;
    return counts;
  }

  /** Ends all connections at once, and stops what is not stopped. */
  cutAll(): void {
    void this.#stop(0);
    this.#drain.endAll();
  }

  received(length: number): void {
    this.#parts.meter.received(length);
  }

  sent(length: number): void {
    this.#parts.meter.sent(1, length);
  }

  slow(connection: CustomConnection): void {
    this.#slowClients.note(connection, "behind");
  }

  failed(connection: CustomConnection, error: unknown): void {
    const { id, transport } = connection;
    this.#parts.logger.log("transportFailed", { connection: id, transport, err: error });
    // Not at once: whoever sends may be going through the channels that would end.
    setImmediate(() => connection.cut());
  }

  closed(connection: CustomConnection): void {
    this.#connections.delete(connection);
    this.#slowClients.forget(connection);
    this.#drain.closed(connection);
    this.#parts.meter.closed();
  }

  #open(transport: string, identity: AnyIdentity, client: TransportClient): CustomConnection {
    const { numbers, sockets, meter } = this.#parts;
    const connection = new CustomConnection(numbers.take(), transport, client, this);
    connection.socket = sockets.open(connection, identity);
    this.#connections.add(connection);
    meter.opened();
    if (this.#isDraining) this.#restart(connection);
    else connection.socket.opened();
    return connection;
  }

  get #isDraining(): boolean {
    return this.#isStopped || this.#parts.isNodeDrained();
  }

  #find(path: string): CustomMount & { readonly variables: Readonly<Record<string, string>> } {
    for (const found of this.#mounts) {
      const variables = matchPath(found.mount.path, path);
      if (variables) return { ...found, variables };
    }
    const paths = this.#mounts.map(({ mount }) => mount.path).join(", ");
    const message = `path must be one of ${paths}, got ${path}`;
    throw makeError("SIM_ERR_OPTION_INVALID", message);
  }

  #restart({ socket }: CustomConnection): void {
    socket?.end(CLOSE.restart, { shutdown: "draining" });
  }

  async #stop(timeoutMs: number): Promise<void> {
    this.#isStopped = true;
    const stopping = this.#started.splice(0).map(async ({ name, stop }) => {
      try {
        const result = stop();
        if (isThenable(result)) await settledInTime(result, timeoutMs);
      } catch (error) {
        this.#parts.logger.log("transportFailed", { transport: name, err: error });
      }
    });
    await Promise.all(stopping);
  }
}
