/**
 * PORT: a transport of a shard. Implemented by WebSocket, by long-poll, and by a single object for
 * all custom transports.
 *
 * A shard has a list of transports, and uses each only through the interface in this file. A
 * transport keeps its connections in a `ConnectionSet`, which does most of `sockets`, `drain` and
 * `cut`. It adds its periodic work to the shard's sweep.
 *
 * Runs on: shard; one instance of each kind per shard.
 */

import type { ShardContext } from "../channel/context.ts";
import type { BufferSource } from "../held-bytes.ts";
import type { AddressPlaces } from "../limits/address-places.ts";
import type { FloodPauses } from "../limits/flood-pauses.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type { AnyMount } from "../socket/mount.ts";
import type { PendingConnects } from "../socket/pending-connects.ts";
import type { ServedSocket, SocketOpener } from "../socket/served-socket.ts";
import type { SharedByConnections } from "./connection-set.ts";
import type { DrainCounts, DrainPace } from "./drain.ts";
import type { EngineApp } from "./engine/app-port.ts";
import type { EndpointHandshake } from "./handshake/handshake-options.ts";
import type { RequestGate } from "./http/request-gate.ts";
import type { HttpRouter } from "./http/router.ts";
import type { StreamBuffers } from "./http/stream-buffers.ts";
import type { TrustedProxies } from "./http/trusted-proxies.ts";
import type { HttpScheme } from "./http/uri.ts";
import type { MountOptions } from "./mount-options.ts";
import type { Sweep } from "./sweep.ts";
import type { TcpConnections } from "./tcp-connections.ts";
import type { Turn } from "./turn.ts";

/** A way for clients to connect to a shard. */
export interface Transport extends BufferSource {
  /** Serves a mount, if its options turn this transport on. Called before `start`. */
  mount(served: ServedMount): void;
  /** Lets clients connect, once the shard serves. Absent if there is nothing to start. */
  start?(): Promise<void>;
  /** The number of open connections. */
  readonly size: number;
  /** Returns the sockets of all open connections, in the order in which they were opened. */
  sockets(): Iterable<ServedSocket>;
  /**
   * Ends all connections in batches, and accepts no new ones; resolves when no connections remain.
   */
  drain(pace: DrainPace): Promise<DrainCounts>;
  /**
   * Answers pending requests, because the shard is about to end. Absent if the transport has none.
   */
  finish?(): void;
  /**
   * Continues after main has ended what this thread ran (`shard/forced-end`). A drain that was under way must be begun
   * again.
   */
  recover(): void;
  /** Ends all connections at once, and accepts no new ones. */
  cut(): void;
  /**
   * Forgets a member of this node that has ended. Absent if the transport does not know members.
   */
  memberGone?(member: number): void;
}

/** A mounted socket with its transport options. */
export interface ServedMount {
  readonly mount: AnyMount;
  readonly options: MountOptions;
  readonly endpoint: EndpointHandshake;
}

/** The part of a shard that transports use. */
export interface TransportShard extends SharedByConnections {
  readonly app: EngineApp;
  readonly router: HttpRouter;
  readonly context: ShardContext;
  readonly sockets: SocketOpener;
  readonly sweep: Sweep;
  readonly tcp: TcpConnections;
  readonly turn: Turn;
  readonly requests: RequestGate;
  /** Answers that wait for their clients. */
  readonly streams: StreamBuffers;
  readonly pending: PendingConnects;
  /** Undefined if connections per address are not limited. */
  readonly places: AddressPlaces | undefined;
  /** Undefined if addresses may connect again at once after they were cut. */
  readonly pauses: FloodPauses | undefined;
  /** Scheme of the server's own port. */
  readonly scheme: HttpScheme;
  /** Undefined if the peer of a connection is the client. */
  readonly proxies: TrustedProxies | undefined;
  readonly options: ResolvedOptions;
}
