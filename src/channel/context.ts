/**
 * The context of a shard: its data and index, broadcasts and tasks.
 *
 * Runs on: shard. Each shard creates one, which `start`, `stop`, routes and callbacks share.
 */

import type { ContextBroadcastOptions, PublishOptions } from "../pubsub/broadcast-options.ts";
import type { HistoryPage, HistoryRequest } from "../pubsub/history-reader.ts";
import type { KeptAt } from "../pubsub/keeping.ts";
import type { BroadcastHandler } from "../pubsub/envelope.ts";
import type { TaskOptions } from "./tasks/tasks.ts";

/** A shard's context, including the properties returned by `start` of the endpoint. */
export type AppContext<Own> = ShardContext & Own;

/**
 * Properties that `start` of an endpoint adds to the context, as in `typed<ContextOf<typeof
 * start>>()`.
 */
export type ContextOf<Start extends (...given: never) => unknown> = Awaited<ReturnType<Start>>;

/** A shard's context. `start` may add to it. */
export interface ShardContext {
  /** A clone of the `data` that the host passed to `serve`. */
  readonly data: unknown;
  /** Index of this shard, from 0. */
  readonly shard: number;
  readonly shards: number;
  /**
   * True while the node accepts clients, for health checks. False until the node listens, while it
   * drains, and while no shard accepts connections.
   */
  readonly isReady: boolean;
  /** Secret from which tokens are derived. */
  readonly secretKeyBase: string;
  /**
   * Broadcasts to the subscribers of a topic: on all nodes, unless the options say otherwise. A
   * JSON Schema that the topic's channel declares for the event also applies here.
   *
   * @throws SIM_ERR_PAYLOAD, SIM_ERR_PAYLOAD_TOO_LARGE, SIM_ERR_OPTION_INVALID; nothing is sent in
   *   these cases
   */
  broadcast(
    topic: string,
    event: string,
    payload?: unknown,
    options?: ContextBroadcastOptions,
  ): void;
  /**
   * Broadcasts on a topic with a history, and resolves when the message is kept.
   *
   * @throws SIM_ERR_NO_HISTORY, SIM_ERR_NOT_KEPT, SIM_ERR_PAYLOAD, SIM_ERR_PAYLOAD_TOO_LARGE,
   *   SIM_ERR_OPTION_INVALID; as rejections
   */
  publish(
    topic: string,
    event: string,
    payload?: unknown,
    options?: PublishOptions,
  ): Promise<KeptAt>;
  /**
   * Reads the history of a topic.
   *
   * @throws SIM_ERR_NO_HISTORY, SIM_ERR_NOT_KEPT, SIM_ERR_OPTION_INVALID; as rejections
   */
  history(topic: string, request?: HistoryRequest): Promise<HistoryPage>;
  /** Removes what is kept of a topic. Its offsets go on. Rejects like `history`. */
  clearHistory(topic: string): Promise<void>;
  /** Closes all connections with a socket id, on all nodes, with code 1001. */
  disconnect(id: string): void;
  /**
   * Calls a handler with every broadcast to a topic. Each subscribed shard receives all broadcasts.
   *
   * @param onGap - called if broadcasts were lost on their way to this shard
   * @returns a function that unsubscribes
   */
  subscribe(topic: string, handler: BroadcastHandler, onGap?: () => void): () => void;
  /**
   * Runs a task, as `socket.task` does, for a route or `start`. The task is cancelled when the
   * shard ends. To cancel it when the client disconnects, pass `{ signal: request.signal }`.
   *
   * @throws like `socket.task`; SIM_ERR_SERVER_CLOSED if the shard ends first
   */
  task(name: string, input?: unknown, options?: TaskOptions): Promise<unknown>;
  /**
   * Returns the number of subscribers to a topic on this shard; `server.subscribers` counts the
   * whole node.
   */
  subscribers(topic: string): number;
  [name: string]: unknown;
}
