/**
 * The load on a cluster, and the machines that it runs on.
 *
 * Runs on: the process of `npm run capacity`.
 */

/** The load on a cluster. */
export interface Demand {
  /** Joined connections, each with one topic. */
  readonly connections: number;
  /** Broadcasts per second of all clients together. */
  readonly rate: number;
  /** Number of subscribers of each broadcast's topic, which is also its number of deliveries. */
  readonly members: number;
  /** Bytes of a broadcast's payload. */
  readonly payloadBytes: number;
  /** Connections that are opened and joined each second. */
  readonly joins: number;
  /** Seconds between heartbeats of a connection. */
  readonly heartbeatSeconds: number;
}

/** A machine of the cluster. */
export interface Machine {
  readonly cores: number;
  readonly memoryBytes: number;
  /** Bits per second that the machine can send. */
  readonly networkBits: number;
  /** Share of the cores, memory and network that may be used on average. */
  readonly load: number;
  /** Maximum number of connections, determined by the limit of open files. */
  readonly maxConnections: number;
}
