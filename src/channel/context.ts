/**
 * The context of a shard: its data and number, broadcasts, tasks.
 *
 * Runs on: shard. Each shard creates one, which `start`, `stop`, routes and callbacks share.
 */

import type { ContextBroadcastOptions } from "../pubsub/broadcast-options.ts";
import type { BroadcastHandler } from "../pubsub/envelope.ts";
import type { TaskOptions } from "./tasks/tasks.ts";

/** A shard's context, with what `start` of the endpoint returned. */
export type AppContext<Own> = ShardContext & Own;

/** What `start` of an endpoint adds to the context, as in `typed<ContextOf<typeof start>>()`. */
export type ContextOf<Start extends (...given: never) => unknown> = Awaited<ReturnType<Start>>;

/** A shard's context. `start` may add to it. */
export interface ShardContext {
  /** A clone of the `data` that the host passed to `serve`. */
  readonly data: unknown;
  /** Index of this shard, from 0. */
  readonly shard: number;
  readonly shards: number;
  /**
   * True while the node accepts clients, for health checks. False until it listens, once it drains,
   * and while no shard is taking connections.
   */
  readonly isReady: boolean;
  /** Secret that tokens are derived from. */
  readonly secretKeyBase: string;
  /**
   * Broadcasts to the subscribers of a topic: on all nodes, unless the options say otherwise. A JSON
   * Schema that the topic's channel declares for the event applies as to its own broadcasts.
   *
   * @throws SIM_ERR_PAYLOAD, SIM_ERR_PAYLOAD_TOO_LARGE, SIM_ERR_OPTION_INVALID; nobody receives it
   *   then
   */
  broadcast(
    topic: string,
    event: string,
    payload?: unknown,
    options?: ContextBroadcastOptions,
  ): void;
  /** Closes all connections with a socket id, on all nodes, with code 1001. */
  disconnect(id: string): void;
  /**
   * Calls a handler with every broadcast of a topic. Each shard that subscribes gets all of them.
   *
   * @param onGap - called if broadcasts were lost on their way to this shard
   * @returns a function that unsubscribes
   */
  subscribe(topic: string, handler: BroadcastHandler, onGap?: () => void): () => void;
  /**
   * Runs a task, as `socket.task` does, for a route or `start`. It is cancelled when the shard ends.
   * To cancel it when the client disconnects, pass `{ signal: request.signal }`.
   *
   * @throws like `socket.task`; SIM_ERR_SERVER_CLOSED if the shard ends first
   */
  task(name: string, input?: unknown, options?: TaskOptions): Promise<unknown>;
  /** Returns how many subscribers a topic has on this shard; `server.subscribers` counts the node. */
  subscribers(topic: string): number;
  [name: string]: unknown;
}
