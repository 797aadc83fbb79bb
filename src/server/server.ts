/**
 * A running server.
 *
 * Runs on: main.
 */

import { invalidOption } from "../definition-checks.ts";
import { makeError } from "../errors.ts";
import { type Logger } from "../log/logger.ts";
import { readCounters } from "../memory/counters.ts";
import type { Life } from "../memory/life.ts";
import { schemeOf, type ResolvedOptions } from "../options/options.ts";
import type { OutputThread } from "../output/output-thread.ts";
import { EVENT } from "../protocol/reserved.ts";
import type { BroadcastHandler } from "../pubsub/envelope.ts";
import type { HistoryPage, HistoryRequest } from "../pubsub/history-reader.ts";
import type { KeptAt } from "../pubsub/keeping.ts";
import type { TopicCount } from "../pubsub/topic-counts.ts";
import type {
  BroadcastEvent,
  BroadcastPayload,
  BroadcastArguments,
  PublishArguments,
} from "../endpoint/app-types.ts";
import type { ChannelDetails, ChannelInfo, NodeMemory, SocketInfo } from "../shard/control.ts";
import type { NodeListener } from "../transport/engine/listener-port.ts";
import type { Admission } from "./admission.ts";
import type { Attachment } from "./attachment/attachment.ts";
import type { Certificate } from "./certificate.ts";
import { drainSettingsOf, type DrainOptions } from "./drain-plan.ts";
import type { Host } from "./host.ts";
import {
  Introspection,
  type HostPresenceEntry,
  type HostPresences,
  type SocketsRequest,
  type TopicsRequest,
} from "./introspection.ts";
import { LINK_MEMBER, MAIN_MEMBER } from "./memory-plan.ts";
import { joinStats } from "./member-stats.ts";
import { NodeDrain, type DrainReport } from "./node-drain.ts";
import { type EngineStats } from "./server-engine.ts";
import type { ServerStats } from "./server-stats.ts";
import { closedError, type ShardRestart } from "./shard-restarts.ts";
import type { Supervisor } from "./supervisor.ts";
import type { TaskPool } from "../tasks/task-pool.ts";

/**
 * A presence, for use by the host. Each method asks a shard, which also calls `fetch`.
 *
 * The methods throw SIM_ERR_PRESENCE if the endpoint has no presence of that name,
 * SIM_ERR_SHARD_BUSY if the shard does not answer in time, and any error of `fetch`.
 */
export interface HostPresence {
  /** Returns the presences of a topic, by key. */
  list(topic: string): Promise<HostPresences>;
  /** Returns the presences of a key, or undefined. */
  getByKey(topic: string, key: string): Promise<HostPresenceEntry | undefined>;
}

/**
 * A running server. `serve<typeof app>(…)` types the app's topics, events and payloads.
 */
export class Server<App = unknown> {
  readonly shards: number;
  readonly nodeName: string;
  readonly #parts: ServerParts;
  readonly #port: number;
  readonly #drain: NodeDrain;
  #closing: Promise<void> | undefined;
  #lastReload: Promise<unknown> = Promise.resolve();

  /** @internal so that the published types contain none of a server's parts */
  constructor(parts: ServerParts, port: number) {
    this.#parts = parts;
    this.#port = port;
    this.shards = parts.options.shards;
    this.nodeName = parts.memory.nodeName;
    this.#drain = new NodeDrain(parts.supervisor, parts.options, parts.logger);
  }

  /** Address that the server listens on. If it is attached, that of the other server, or "" while that does not listen. */
  get host(): string {
    const { attachment, options } = this.#parts;
    return attachment?.host ?? options.host;
  }

  /** `https` if the server has a certificate, or is attached to one that has. Its WebSockets are then at wss. */
  get scheme(): "http" | "https" {
    const { attachment, options } = this.#parts;
    return attachment?.scheme ?? schemeOf(options);
  }

  /** Port that the server listens on. If it is attached, that of the other server, or 0 while that does not listen. */
  get port(): number {
    return this.#parts.attachment?.port ?? this.#port;
  }

  /**
   * Whether the node accepts clients. False after `drain` or `close` has been called, and while no
   * shard accepts connections. Routes of the app can read it as `context.isReady`.
   */
  get isReady(): boolean {
    return this.#parts.life.isReady;
  }

  /**
   * Resolves with SIM_ERR_NO_SHARDS when the server has failed: all shards have ended too often to be
   * replaced, or have been stuck for 30 times `stallMs`. Close the server then, and end the process with
   * an exit code other than 0, so that its supervisor starts it again.
   */
  get failed(): Promise<Error> {
    return this.#parts.supervisor.failed;
  }

  /** Whether `close` has been called. */
  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Broadcasts to the subscribers of a topic, on all nodes unless the options say otherwise. If the
   * topic's channel declares a JSON Schema for the event, it applies to this broadcast too.
   *
   * @throws SIM_ERR_PAYLOAD, SIM_ERR_PAYLOAD_TOO_LARGE, SIM_ERR_OPTION_INVALID,
   *   SIM_ERR_SERVER_CLOSED
   */
  broadcast<Topic extends string, Event extends BroadcastEvent<App, Topic>>(
    topic: Topic,
    event: Event,
    ...[payload, options]: BroadcastArguments<BroadcastPayload<App, Topic, Event>>
  ): void {
    this.#host().broadcast(topic, event, payload, options);
  }

  /**
   * Calls a handler for each broadcast on a topic.
   *
   * @param onGap - called when broadcasts were lost on the way to main
   * @returns a function that removes the handler
   */
  subscribe(topic: string, handler: BroadcastHandler, onGap: () => void = () => {}): () => void {
    return this.#host().pubsub.listen(topic, handler, onGap);
  }

  /**
   * Broadcasts on a topic with a history, and resolves when the message is kept, with its position.
   *
   * @throws SIM_ERR_NO_HISTORY, SIM_ERR_NOT_KEPT, SIM_ERR_PAYLOAD, SIM_ERR_PAYLOAD_TOO_LARGE,
   *   SIM_ERR_OPTION_INVALID, SIM_ERR_SERVER_CLOSED; as rejections
   */
  async publish<Topic extends string, Event extends BroadcastEvent<App, Topic>>(
    topic: Topic,
    event: Event,
    ...[payload, options]: PublishArguments<BroadcastPayload<App, Topic, Event>>
  ): Promise<KeptAt> {
    return this.#host().publish(topic, event, payload, options);
  }

  /**
   * Reads the history of a topic.
   *
   * @throws SIM_ERR_NO_HISTORY, SIM_ERR_NOT_KEPT, SIM_ERR_PAYLOAD, SIM_ERR_OPTION_INVALID, SIM_ERR_SERVER_CLOSED; as
   *   rejections
   */
  async history(topic: string, request?: HistoryRequest): Promise<HistoryPage> {
    return this.#host().pubsub.history(topic, request);
  }

  /** Removes what is kept of a topic. Its offsets go on. Rejects like `history`. */
  async clearHistory(topic: string): Promise<void> {
    await this.#host().pubsub.clearHistory(topic);
  }

  /** Closes all connections with the given socket id, on all nodes, with close code 1001. */
  disconnect(id: string): void {
    this.#host().pubsub.broadcast(id, EVENT.disconnect, {}, "cluster");
  }

  /**
   * Reads the counters of all threads without interrupting them. Reading `index` takes
   * milliseconds.
   */
  stats(): ServerStats {
    const { memory, supervisor, host, engine } = this.#parts;
    const shards = Array.from({ length: this.shards }, (_, shard) => supervisor.stats(shard));
    const main = readCounters(memory.counters, MAIN_MEMBER);
    const link = memory.link < 0 ? undefined : readCounters(memory.counters, LINK_MEMBER);
    const total = joinStats([main, supervisor.totalStats()]);
    return {
      engine,
      shards,
      main,
      link,
      history: supervisor.historyStats(),
      transports: supervisor.transportStats(),
      total,
      get index() {
        return host.member.index.stats();
      },
    };
  }

  /**
   * Returns the number of subscribers of a topic on this node: channels that joined it, and
   * subscriptions made in code.
   *
   * @throws SIM_ERR_SHARD_BUSY if a shard does not answer in time, as do the next four methods
   */
  async subscribers(topic: string): Promise<number> {
    return this.#introspection().subscribers(topic);
  }

  /**
   * Returns topics of this node with their subscriber counts, in alphabetical order. Each shard
   * scans all its topics.
   */
  async topics(request: TopicsRequest = {}): Promise<TopicCount[]> {
    return this.#introspection().topics(request);
  }

  /** Returns connections of this node, ordered by number. */
  async sockets(request: SocketsRequest = {}): Promise<SocketInfo[]> {
    return this.#introspection().sockets(request);
  }

  /** Returns the channels of a connection, or undefined if there is no such connection. */
  async channels(connection: number): Promise<ChannelInfo[] | undefined> {
    return this.#introspection().channels(connection);
  }

  /**
   * Returns a channel of a connection, with its assigns and its connection, or undefined if there
   * is no such channel.
   */
  async channel(connection: number, topic: string): Promise<ChannelDetails | undefined> {
    return this.#introspection().channel(connection, topic);
  }

  /**
   * Returns a presence of the endpoint by its name. It covers all shards and nodes.
   *
   * ```ts
   * const inLobby = await server.presence().list("room:lobby");
   * ```
   */
  presence(name = "presence"): HostPresence {
    return {
      list: async (topic) => this.#introspection().presences({ name, topic, key: undefined }),
      getByKey: async (topic, key) =>
        (await this.#introspection().presences({ name, topic, key }))[key],
    };
  }

  /**
   * Replaces a shard's thread while the other shards keep serving. A new thread loads the current
   * app module and certificate, and receives new connections. The old thread closes its connections with 1012, in
   * batches as `drain` does, and ends. Only one restart runs at a time; others wait.
   *
   * @returns counts of what was closed, once the old thread has ended
   * @throws the error that the new thread failed with (the old thread then keeps serving);
   *   SIM_ERR_SHARD_BUSY if the old thread does not end; SIM_ERR_SERVER_CLOSED,
   *   SIM_ERR_OPTION_INVALID
   */
  async restartShard(shard: number): Promise<ShardRestart> {
    this.#checkOpen();
    if (!Number.isInteger(shard) || shard < 0 || shard >= this.shards) {
      const message = `shard must be an integer from 0 to ${this.shards - 1} (shard), got ${shard}`;
      throw invalidOption(message);
    }
    return this.#parts.supervisor.restart(shard);
  }

  /**
   * Loads the certificate of `tlsCert` and `tlsKey` again, for example when it has been renewed, and restarts the
   * shards that do not have it, one after the other, as `restartShard` does: they also load the current app module.
   * Further calls wait for earlier ones.
   *
   * @returns what was closed, by shard; empty if the files have not changed
   * @throws SIM_ERR_TLS if the server has no certificate, or the files cannot be used: then nothing changes. Errors of
   *   `restartShard`: then this shard and later ones keep the previous certificate until they are restarted
   */
  async reloadTls(): Promise<ShardRestart[]> {
    const reload = this.#lastReload.then(async () => this.#reloadTls());
    this.#lastReload = reload.catch(() => undefined);
    return reload;
  }

  async #reloadTls(): Promise<ShardRestart[]> {
    this.#checkOpen();
    const { certificate, supervisor } = this.#parts;
    if (!certificate) {
      throw makeError("SIM_ERR_TLS", "tlsCert must be set before it can be reloaded, got none");
    }
    certificate.reload();
    const restarts: ShardRestart[] = [];
    for (let shard = 0; shard < this.shards; shard += 1) {
      if (!supervisor.hasCertificate(shard)) restarts.push(await supervisor.restart(shard));
    }
    return restarts;
  }

  /** @throws SIM_ERR_SERVER_CLOSED if no shard may be restarted any more */
  #checkOpen(): void {
    this.#host();
    if (this.#drain.hasBegun) throw closedError("drained");
  }

  /**
   * Moves all clients to other nodes. The node is no longer ready, accepts no connections, and
   * closes existing ones with 1012, in batches. Long-poll sessions end too, and each channel's
   * `terminate` runs. Everything else keeps working until `close`: broadcasts, the link to other
   * nodes, routes.
   *
   * Later calls, and calls after `close`, return the same promise.
   *
   * @param options - override the server's options of the same names
   * @returns counts of what was closed, once all connections are closed and each `terminate` has
   *   settled or timed out; rejects with SIM_ERR_OPTION_INVALID without starting a drain
   */
  drain(options: DrainOptions = {}): Promise<DrainReport> {
    try {
      return this.#drain.run(drainSettingsOf(options, this.#parts.options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Closes the server in order: drains it, or waits for the drain in progress, runs the app's
   * `stop`, and ends the threads. Later calls return the same promise.
   */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Closes without batches, and cuts connections that have unsent bytes. */
  async closeNow(): Promise<void> {
    this.#drain.hurry();
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { listener, admission, certificate, supervisor, tasks, host, logger, output, onExit } =
      this.#parts;
    const { attachment } = this.#parts;
    logger.log("serverClosing", { port: this.port });
    await this.drain();
    await supervisor.stop();
    await tasks.close();
    host.stop();
    admission.stop();
    await listener.close();
    certificate?.close();
    attachment?.end();
    logger.reportSuppressed();
    // If a thread cannot be ended, the process cannot exit without the handler, which logs that.
    if (!supervisor.hasEnded) return;
    await output.stop();
    process.off("exit", onExit);
  }

  #host(): Host {
    if (!this.#closing) return this.#parts.host;
    throw closedError();
  }

  #introspection(): Introspection {
    const { supervisor } = this.#parts;
    const threads = (): ReturnType<Supervisor["shardThreads"]> => supervisor.shardThreads();
    return new Introspection(supervisor.questions, threads, this.#host().pubsub, this.shards);
  }
}

/**
 * What a server consists of.
 *
 * @internal so that the published types contain none of it
 */
export interface ServerParts {
  readonly options: ResolvedOptions;
  readonly memory: NodeMemory;
  readonly host: Host;
  readonly life: Life;
  readonly listener: NodeListener;
  readonly engine: EngineStats;
  readonly admission: Admission;
  readonly certificate: Certificate | undefined;
  readonly supervisor: Supervisor;
  /** Undefined if the server has a port of its own. */
  readonly attachment: Attachment | undefined;
  readonly tasks: TaskPool;
  readonly logger: Logger;
  readonly output: OutputThread;
  readonly onExit: (code: number) => void;
}
