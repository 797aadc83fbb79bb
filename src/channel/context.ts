/**
 * What a shard gives to the app: its data, its number, and ways to reach all subscribers.
 *
 * Runs on: shard, which makes it; one object for each, the same for `start`, `stop`, routes and callbacks.
 */

import type { ContextBroadcastOptions } from "../pubsub/broadcast-options.ts";
import type { BroadcastHandler } from "../pubsub/envelope.ts";
import type { TaskOptions } from "./tasks/tasks.ts";

/** A shard's context, with what `start` of the endpoint returned. */
export type AppContext<Own> = ShardContext & Own;

/** What `start` of an endpoint adds to the context: `typed<ContextOf<typeof start>>()`. */
export type ContextOf<Start extends (...given: never) => unknown> = Awaited<ReturnType<Start>>;

/** A shard's context. `start` may put its own things on it. */
export interface ShardContext {
  /** What the host handed to `serve` as `data`, cloned. */
  readonly data: unknown;
  /** Index of this shard, from 0. */
  readonly shard: number;
  readonly shards: number;
  /**
   * True while the node takes clients: false until it listens, from the beginning of its drain on,
   * and while no shard is in the deal. What a health check is to be told.
   */
  readonly isReady: boolean;
  /** Secret that tokens are derived from. */
  readonly secretKeyBase: string;
  /**
   * Broadcasts to the subscribers of a topic: on all nodes, unless the options say otherwise. A JSON
   * Schema that the topic's channel declares for the event applies as to its own broadcasts.
   *
   * @throws SIM_ERR_PAYLOAD, SIM_ERR_PAYLOAD_TOO_LARGE, SIM_ERR_OPTION_INVALID; then nobody gets it
   */
  broadcast(
    topic: string,
    event: string,
    payload?: unknown,
    options?: ContextBroadcastOptions,
  ): void;
  /** Closes all connections of a socket id, on all nodes, with 1001. */
  disconnect(id: string): void;
  /**
   * Has broadcasts of a topic handled by this shard's code; each shard that subscribes gets each.
   *
   * @param onGap - called where some were lost on their way to this shard
   * @returns what ends it
   */
  subscribe(topic: string, handler: BroadcastHandler, onGap?: () => void): () => void;
  /**
   * Has a task run, as `socket.task` does, for a route or `start`. It is cancelled where the shard
   * ends; for a request that goes away, `{ signal: request.signal }`.
   *
   * @throws as `socket.task`; SIM_ERR_SERVER_CLOSED where the shard ends first
   */
  task(name: string, input?: unknown, options?: TaskOptions): Promise<unknown>;
  /** Subscribers that a topic has on this shard; on all of the node, ask the server. */
  subscribers(topic: string): number;
  [name: string]: unknown;
}
