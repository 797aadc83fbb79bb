/**
 * A running server, and `serve`, which starts one.
 *
 * Runs on: main.
 */

import { randomBytes, randomUUID } from "node:crypto";
import { pathToFileURL } from "node:url";

import { checkNodeVersion } from "../node-version.ts";
import { invalidOption } from "../definition-checks.ts";
import { kindOf } from "../errors.ts";
import { LOG_LINES, type Logger } from "../log/logger.ts";
import { Counters, readCounters } from "../memory/counters.ts";
import { Life } from "../memory/life.ts";
import { memberCount, resolveOptions } from "../options/resolution.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { OutputQueue } from "../output/output-queue.ts";
import { OutputThread } from "../output/output-thread.ts";
import type { WriterTexts } from "../output/output-writer.ts";
import { makeOutputMemory } from "../output/queue-layout.ts";
import { makeQueueLogger } from "../output/queue-logger.ts";
import { EVENT } from "../protocol/reserved.ts";
import type { AdapterSpec } from "../pubsub/adapter.ts";
import { clusterAdapter } from "../pubsub/adapters/cluster-url.ts";
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
import { loadEngine } from "../transport/engine/engine.ts";
import { TcpConnections } from "../transport/tcp-connections.ts";
import { Acceptor } from "./acceptor.ts";
import { Admission } from "./admission.ts";
import { availableCpus } from "./cpu-quota.ts";
import { descriptorLimit } from "./descriptors.ts";
import { drainSettingsOf, type DrainOptions } from "./drain-plan.ts";
import { Host } from "./host.ts";
import {
  Introspection,
  type HostPresenceEntry,
  type HostPresences,
  type SocketsRequest,
  type TopicsRequest,
} from "./introspection.ts";
import { availableMemory } from "./memory-limit.ts";
import { LINK_MEMBER, MAIN_MEMBER, makeNodeMemory } from "./memory-plan.ts";
import { joinStats } from "./member-stats.ts";
import { NodeDrain, type DrainReport } from "./node-drain.ts";
import type { ServeOptions } from "./serve-options.ts";
import type { ServerStats } from "./server-stats.ts";
import { closedError, type ShardRestart } from "./shard-restarts.ts";
import { Supervisor } from "./supervisor.ts";
import { TaskPool } from "../tasks/task-pool.ts";

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
  /** Address that the server listens on. */
  readonly host: string;
  /** Port that the server listens on. */
  readonly port: number;
  readonly shards: number;
  readonly nodeName: string;
  readonly #parts: ServerParts;
  readonly #drain: NodeDrain;
  #closing: Promise<void> | undefined;

  /** @internal so that the published types contain none of a server's parts */
  constructor(parts: ServerParts, port: number) {
    this.#parts = parts;
    this.host = parts.options.host;
    this.port = port;
    this.shards = parts.options.shards;
    this.nodeName = parts.memory.nodeName;
    this.#drain = new NodeDrain(parts.supervisor, parts.options, parts.logger);
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
   * @throws SIM_ERR_NO_HISTORY, SIM_ERR_NOT_KEPT, SIM_ERR_OPTION_INVALID, SIM_ERR_SERVER_CLOSED; as
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
    const { memory, supervisor, host } = this.#parts;
    const shards = Array.from({ length: this.shards }, (_, shard) => supervisor.stats(shard));
    const main = readCounters(memory.counters, MAIN_MEMBER);
    const link = memory.link < 0 ? undefined : readCounters(memory.counters, LINK_MEMBER);
    const total = joinStats([main, supervisor.totalStats()]);
    return {
      shards,
      main,
      link,
      history: supervisor.historyStats(),
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
   * app module and receives new connections. The old thread closes its connections with 1012, in
   * batches as `drain` does, and ends. Only one restart runs at a time; others wait.
   *
   * @returns counts of what was closed, once the old thread has ended
   * @throws the error that the new thread failed with (the old thread then keeps serving);
   *   SIM_ERR_SHARD_BUSY if the old thread does not end; SIM_ERR_SERVER_CLOSED,
   *   SIM_ERR_OPTION_INVALID
   */
  async restartShard(shard: number): Promise<ShardRestart> {
    this.#host();
    if (this.#drain.hasBegun) throw closedError("drained");
    if (!Number.isInteger(shard) || shard < 0 || shard >= this.shards) {
      const message = `shard must be an integer from 0 to ${this.shards - 1} (shard), got ${shard}`;
      throw invalidOption(message);
    }
    return this.#parts.supervisor.restart(shard);
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
    const { acceptor, admission, supervisor, tasks, host, logger, output, onExit } = this.#parts;
    logger.log("serverClosing", { port: this.port });
    await this.drain();
    await supervisor.stop();
    await tasks.close();
    host.stop();
    admission.stop();
    acceptor.close();
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

interface ServerParts {
  readonly options: ResolvedOptions;
  readonly memory: NodeMemory;
  readonly host: Host;
  readonly life: Life;
  readonly acceptor: Acceptor;
  readonly admission: Admission;
  readonly supervisor: Supervisor;
  readonly tasks: TaskPool;
  readonly logger: Logger;
  readonly output: OutputThread;
  readonly onExit: (code: number) => void;
}

/**
 * Starts a server. Resolves when every shard is ready and the server listens.
 *
 * ```ts
 * import type app from "./app.js";
 *
 * const server = await serve<typeof app>({ app: new URL("./app.js", import.meta.url) });
 * ```
 *
 * @throws SIM_ERR_OPTION_INVALID, SIM_ERR_ENGINE_UNAVAILABLE, SIM_ERR_LISTEN, SIM_ERR_APP_MODULE,
 *   and any error of the app module or its `start`
 */
export async function serve<App = unknown>(given: ServeOptions): Promise<Server<App>> {
  checkNodeVersion();
  const { app: _app, data, adapter: _adapter, logger: sink, ...own } = given;
  let isSecretRandom = false;
  const options = resolveOptions(own, process.env, {
    parallelism: availableCpus,
    descriptorLimit,
    memoryLimit: availableMemory,
    secretKeyBase: () => {
      isSecretRandom = true;
      return randomBytes(48).toString("base64");
    },
    nodeName: () => `node-${randomUUID()}`,
  });
  const app = appUrl(given.app);
  const adapter = adapterOf(given, options);
  const engine = loadEngine({ maxHeaderBytes: options.maxHeaderBytes });
  const memory = makeNodeMemory(options, adapter);
  const counters = new Counters(memory.counters, MAIN_MEMBER);
  const outputMemory = makeOutputMemory(memberCount(options), options.logQueueBytes);
  const queue = new OutputQueue(outputMemory, MAIN_MEMBER, counters);
  const logger = makeQueueLogger(queue, options, { sink });
  if (isSecretRandom) logger.log("secretIsRandom");
  const output = new OutputThread(outputMemory, writerTexts(logger));
  const host = new Host(memory, options, logger);
  const life = new Life(memory.life);
  const tcp = new TcpConnections({ memory: memory.counters, counters, options, logger });
  const acceptor = new Acceptor(engine, tcp, counters, life);
  const tasks = new TaskPool(options, counters, logger, queue);
  const supervisor = new Supervisor({
    memory,
    output,
    options,
    host,
    acceptor,
    tasks,
    logger,
    app,
    data,
    adapter,
  });
  const onExit = (code: number): void => {
    supervisor.closeOnExit(code);
    logger.reportSuppressed();
    output.flushNow(EXIT_FLUSH_MS);
  };
  process.on("exit", onExit);
  try {
    await supervisor.start();
    const port = acceptor.listen(options.host, options.port);
    const shared = { memory: memory.counters, counters, options, logger };
    const admission = new Admission({ listener: acceptor, ...shared });
    logger.log("serverListening", { host: options.host, port, shards: options.shards });
    const parts = { options, memory, host, life, acceptor, admission, supervisor, tasks };
    return new Server<App>({ ...parts, logger, output, onExit }, port);
  } catch (error) {
    await supervisor.stop();
    await tasks.close();
    host.stop();
    acceptor.close();
    if (supervisor.hasEnded) {
      await output.stop();
      process.off("exit", onExit);
    }
    throw error;
  }
}

/** Time for the last lines to be written when the process exits (ms). */
const EXIT_FLUSH_MS = 1_000;

/** Returns the texts of the lines that the writer writes itself. */
function writerTexts(logger: Logger): WriterTexts {
  const textOf = (line: "linesDropped" | "outputFailed"): string | undefined =>
    logger.isOn(line) ? LOG_LINES[line].text : undefined;
  return { dropped: textOf("linesDropped"), failed: textOf("outputFailed") };
}

function appUrl(app: unknown): string {
  if (app instanceof URL) return app.href;
  if (typeof app !== "string" || app === "") {
    throw invalidOption(
      `app must be the URL or path of a module, got ${app === "" ? "an empty string" : kindOf(app)}`,
    );
  }
  return app.startsWith("file:") ? app : pathToFileURL(app).href;
}

/**
 * Returns the adapter. An adapter given in code overrides a `clusterUrl` from the environment;
 * giving both in code is an error.
 */
function adapterOf(given: ServeOptions, resolved: ResolvedOptions): AdapterSpec | undefined {
  const { adapter, clusterUrl } = given;
  if (adapter === undefined) return clusterAdapter(resolved);
  if (clusterUrl !== undefined) throw invalidOption("adapter must not be combined with clusterUrl");
  const { module, options } = Object(adapter) as Partial<AdapterSpec>;
  if (typeof module === "string" && typeof options === "object" && options !== null) return adapter;
  throw invalidOption("adapter must be { module, options }, as returned by `memoryAdapter`");
}
