/**
 * PORT: what brings clients to a shard. WebSocket, long-poll, and those of the app's own together.
 *
 * A shard has a list of transports and knows no more of one than is here. A transport keeps its
 * connections in a `ConnectionSet`, which is most of `sockets`, `drain` and `cut`; what else it has to
 * do now and then, it adds to the shard's sweep.
 *
 * Runs on: shard; one of each kind.
 */

import type { ShardContext } from "../channel/context.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type { AnyMount } from "../socket/mount.ts";
import type { ServedSocket, SocketOpener } from "../socket/served-socket.ts";
import type { SharedByConnections } from "./connection-set.ts";
import type { DrainCounts, DrainPace } from "./drain.ts";
import type { EngineApp } from "./engine/engine-types.ts";
import type { EndpointHandshake } from "./handshake/handshake-options.ts";
import type { MountOptions } from "./mount-options.ts";
import type { Sweep } from "./sweep.ts";

/** A way by which clients come to a shard. */
export interface Transport {
  /** Serves a socket at a path, if its mount is reached by this transport. Called before `start`. */
  mount(served: ServedMount): void;
  /** Lets clients come: the shard serves. Absent if they come by themselves. */
  start?(): Promise<void>;
  /** Returns the sockets of all open connections, in the order in which they were opened. */
  sockets(): Iterable<ServedSocket>;
  /** Ends all connections in batches, and accepts no more; resolves when none is left. */
  drain(pace: DrainPace): Promise<DrainCounts>;
  /** Answers what still waits for an answer: the shard is about to end. Absent if nothing does. */
  finish?(): void;
  /** Ends all connections at once, and accepts no more. */
  cut(): void;
  /** Forgets a member of this node that ended. Absent if it knows none. */
  memberGone?(member: number): void;
}

/** A socket at a path of the endpoint, and on which terms it is reached. */
export interface ServedMount {
  readonly mount: AnyMount;
  readonly options: MountOptions;
  readonly endpoint: EndpointHandshake;
}

/** A shard, as its transports know it. */
export interface TransportShard extends SharedByConnections {
  readonly app: EngineApp;
  readonly context: ShardContext;
  readonly sockets: SocketOpener;
  readonly sweep: Sweep;
  readonly options: ResolvedOptions;
}
