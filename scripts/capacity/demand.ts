/**
 * What is asked of a cluster, and what its machines have.
 *
 * Runs on: the process of `npm run capacity`.
 */

/** The load to be carried. */
export interface Demand {
  /** Joined connections, each with one topic. */
  readonly connections: number;
  /** Broadcasts a second, of all clients together. */
  readonly rate: number;
  /** Subscribers of each broadcast's topic: its deliveries. */
  readonly members: number;
  /** Bytes of a broadcast's payload. */
  readonly payloadBytes: number;
  /** Connections that come and join, a second. */
  readonly joins: number;
  /** Seconds between two heartbeats of a connection. */
  readonly heartbeatSeconds: number;
}

/** A machine of the cluster. */
export interface Machine {
  readonly cores: number;
  readonly memoryBytes: number;
  /** Bits a second that it can send. */
  readonly networkBits: number;
  /** Share of its cores that shards may use on average, and of memory and network. */
  readonly load: number;
  /** Connections that it may hold: its limit of open files. */
  readonly maxConnections: number;
}
