/**
 * A shard's sockets and channels without a transport: frames are passed in as text, and frames sent to clients are
 * recorded.
 *
 * Runs on: the test's thread.
 */

import { BroadcastRoom } from "../../src/channel/broadcast-room.ts";
import { Callbacks, type CallbackWatch } from "../../src/callbacks/callbacks.ts";
import { WaitingBytes } from "../../src/callbacks/waiting-bytes.ts";
import type { ShardContext } from "../../src/channel/context.ts";
import type { Channel } from "../../src/channel/channel.ts";
import { defineChannel } from "../../src/channel/definition.ts";
import type { ChannelSocket } from "../../src/channel/channel-socket.ts";
import type { ChannelCallbacks, ChannelDefinition } from "../../src/channel/definition.ts";
import { Fastlane } from "../../src/channel/fastlane.ts";
import { HeldBroadcasts } from "../../src/channel/held-broadcasts.ts";
import type { Lane } from "../../src/channel/lane.ts";
import type { Task, Tasks } from "../../src/channel/tasks/tasks.ts";
import type { QueuedBroadcasts } from "../../src/channel/queued-broadcasts.ts";
import { ShardChannels } from "../../src/channel/shard-channels.ts";
import { ok } from "../../src/callbacks/results.ts";
import { Refusals } from "../../src/limits/refusals.ts";
import { Logger } from "../../src/log/logger.ts";
import { Counters, makeCountersMemory, readCounters } from "../../src/memory/counters.ts";
import type { CounterName } from "../../src/memory/counters-layout.ts";
import { makeRateTableMemory, RateTable } from "../../src/memory/rate-table.ts";
import type { Serializer } from "../../src/protocol/serializer.ts";
import { negotiate } from "../../src/protocol/version.ts";
import type { HoldingWindow } from "../../src/pubsub/holding-windows.ts";
import { ChannelRouter } from "../../src/socket/channel-router.ts";
import type { AnyChannelDefinition, ChannelRoute } from "../../src/socket/channel-router.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import type { SocketLimits } from "../../src/socket/limits.ts";
import { SocketLimiter } from "../../src/socket/socket-limiter.ts";
import { ExpiryBook, type Expirable } from "../../src/socket/expiry-book.ts";
import { ShardSockets, type SocketOptions } from "../../src/socket/shard-sockets.ts";
import { Socket } from "../../src/socket/socket.ts";
import { TestNode } from "./members.ts";
import type { TestMember } from "./members.ts";
import { RecordingConnection, RecordingPublisher } from "./recording-connection.ts";

type ChannelOptions = ChannelCallbacks<ChannelSocket<Record<string, unknown>>>;

/** Defines a channel that everybody may join, with further callbacks of a test. */
export function channel(callbacks: Partial<ChannelOptions> = {}): ChannelDefinition {
  return defineChannel(ANY_SOCKET, { join: () => ok(), ...callbacks });
}

const ANY_SOCKET = defineSocket({ connect: () => ok<Record<string, unknown>>({}) });

/** One line of the log. */
export interface LogEntry {
  readonly level?: string;
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The shard's context. Tests only check that callbacks receive it. */
export const CONTEXT = { name: "context" } as unknown as ShardContext;

/** The options of a world. */
export interface WorldOptions {
  readonly channels: Readonly<Record<string, AnyChannelDefinition | ChannelRoute>>;
  readonly joins?: "async" | "serial";
  /** Returns the id of the socket. */
  readonly id?: (socket: { readonly assigns: object }) => string | null;
  readonly maxMailbox?: number;
  readonly maxBacklog?: number;
  readonly maxWaitingBytes?: number;
  readonly maxTopicBytes?: number;
  readonly maxEventBytes?: number;
  readonly maxJsonDepth?: number;
  readonly maxChannels?: number;
  readonly maxQueueBytes?: number;
  readonly maxTotalWaitingBytes?: number;
  readonly handlerTimeoutMs?: number;
  readonly joinTimeoutMs?: number;
  readonly node?: TestNode;
  readonly member?: number;
  readonly window?: HoldingWindow;
  /** Rate limits of the socket, by the clock of `nowMs`. */
  readonly limits?: SocketLimits;
}

/** The options of a client. */
export interface ConnectOptions {
  readonly vsn?: "1.0.0" | "2.0.0";
  /** A mount's own serializer; by default, that of the version. */
  readonly serializer?: Serializer;
  readonly assigns?: object;
  readonly id?: string | null;
  readonly address?: string | null;
  /** When the connection expires (ms since 1970). */
  readonly expiresAtMs?: number;
  readonly isNative?: boolean;
  readonly isCompressed?: boolean;
}

/** A shard without a transport. */
export class World {
  readonly log: LogEntry[] = [];
  readonly publisher = new RecordingPublisher();
  readonly callbacks: Callbacks;
  readonly channels: ShardChannels;
  readonly sockets: ShardSockets;
  readonly member: TestMember<Lane>;
  readonly tasks = new RecordingTasks();
  /** The clock of expiries and rate limits (ms since 1970). */
  nowMs = 1_800_000_000_000;
  readonly expiries = new ExpiryBook<Expirable>(() => this.nowMs);
  /** Holds broadcasts if there is a coalescing window. */
  readonly held: HeldBroadcasts | undefined;
  /** How much large broadcasts may leave unsent. */
  readonly room = new BroadcastRoom(1_000_000);
  /** Broadcasts that wait in the queues of slow channels. */
  readonly queued: QueuedBroadcasts;
  /** Topics of channels that have ended. */
  readonly closed: string[] = [];
  /** Whether joins are accepted. */
  takesMore = true;
  readonly #counters = makeCountersMemory(1);
  readonly #options: WorldOptions;
  readonly #limiter: SocketLimiter | undefined;
  readonly #router: ChannelRouter;
  readonly #definition: ReturnType<typeof defineSocket<object>>;
  readonly #socketOf = new Map<RecordingConnection, Socket>();
  #connections = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    const { maxQueueBytes = 1_000_000 } = options;
    const note =
      (level: string) =>
      (fields: object, text: string): void =>
        void this.log.push({ level, text, fields: fields as LogEntry["fields"] });
    const logger = new Logger("debug", {
      debug: note("debug"),
      info: note("info"),
      warn: note("warn"),
      error: note("error"),
    });
    this.held = options.window && new HeldBroadcasts(options.window, this.publisher);
    const counters = new Counters(this.#counters, 0);
    const fastlane = new Fastlane(this.publisher, this.held, this.room, counters, maxQueueBytes);
    this.queued = fastlane.queued;
    const refusals = new Refusals(counters, logger, () => this.nowMs);
    this.#limiter = makeLimiter(options.limits, refusals);
    this.member = (options.node ?? new TestNode()).member<Lane>(options.member ?? 0, fastlane);
    const { maxMailbox = 8, handlerTimeoutMs = 1_000, joinTimeoutMs = 1_000 } = options;
    const { maxWaitingBytes = 10_000 } = options;
    const waiting = new WaitingBytes(maxWaitingBytes, options.maxTotalWaitingBytes ?? Infinity);
    const watch = UNWATCHED;
    this.callbacks = new Callbacks({ maxMailbox, handlerTimeoutMs, waiting, watch });
    this.channels = new ShardChannels({
      shard: 0,
      context: CONTEXT,
      pubsub: this.member.pubsub,
      fastlane,
      tasks: this.tasks,
      callbacks: this.callbacks,
      counters,
      options: { handlerTimeoutMs, joinTimeoutMs },
      logger,
      onEnded: (ended) => void this.closed.push((ended as Channel).topic),
    });
    this.sockets = new ShardSockets({
      channels: this.channels,
      expiries: this.expiries,
      logger,
      refusals,
      options: socketOptionsOf(options),
      takesMore: () => this.takesMore,
    });
    const routes = Object.entries(options.channels).map(
      ([pattern, it]) => [pattern, "channel" in it ? it : { channel: it }] as const,
    );
    this.#router = new ChannelRouter(Object.fromEntries(routes));
    this.#definition = defineSocket<object>({
      connect: () => ok({}),
      joins: options.joins ?? "async",
      id: options.id ?? ((): null => null),
    });
  }

  /** Number of joined channels, by the counters. */
  get count(): number {
    return readCounters(this.#counters, 0).channels;
  }

  /** Reads a counter. */
  counter(name: CounterName): number {
    return readCounters(this.#counters, 0)[name];
  }

  /** Number of channels that a binary broadcast skipped. */
  get skipped(): number {
    return readCounters(this.#counters, 0).skippedOnV1;
  }

  /** Number of broadcasts that queues of channels dropped. */
  get leftOut(): number {
    return readCounters(this.#counters, 0).leftOut;
  }

  /** Number of joins refused because none were accepted. */
  get joinsRefused(): number {
    return readCounters(this.#counters, 0).joinsOverloaded;
  }

  /** Number of large messages refused because the shard was overloaded. */
  get messagesRefused(): number {
    return readCounters(this.#counters, 0).messagesOverloaded;
  }

  /** Refusals by rate limits: messages, those among them that were not answered, and connects. */
  get limited(): { readonly refused: number; readonly ignored: number; readonly connects: number } {
    const { rateLimited, floodIgnored, connectsLimited } = readCounters(this.#counters, 0);
    return { refused: rateLimited, ignored: floodIgnored, connects: connectsLimited };
  }

  connect(options: ConnectOptions = {}): WorldClient {
    const { vsn = "2.0.0", assigns = {}, id = null } = options;
    const { isNative = true, isCompressed = false, address = null } = options;
    const serializer = options.serializer ?? negotiate(vsn);
    if (!serializer) throw new Error(`no serializer for ${vsn}`);
    const connection = new RecordingConnection(
      this.#connections,
      this.publisher,
      { isNative, isCompressed },
      (closed, code) => this.#closed(closed, code),
    );
    this.#connections += 1;
    const mount = {
      path: "/socket",
      definition: this.#definition,
      router: this.#router,
      handlerTimeoutMs: 1_000,
      maxChannels: this.#options.maxChannels ?? 8,
      limiter: this.#limiter,
    };
    const identity = {
      mount,
      serializer,
      assigns: Object.freeze(assigns),
      id,
      address,
      ...(options.expiresAtMs !== undefined && { expiresAtMs: options.expiresAtMs }),
    };
    const socket = new Socket(this.sockets, connection, identity);
    this.#socketOf.set(connection, socket);
    return new WorldClient(socket, connection);
  }

  /** Connects and joins topics, and takes the replies. */
  joined(topics: readonly string[] = ["room:1"], options: ConnectOptions = {}): WorldClient {
    const client = this.connect(options);
    for (const [at, topic] of topics.entries()) {
      client.send(JSON.stringify([`${at + 11}`, `${at + 1}`, topic, "phx_join", {}]));
    }
    client.taken();
    return client;
  }

  /** Returns the log texts so far, except those of successful events. */
  troubles(): string[] {
    const usual = new Set(["JOINED", "REFUSED JOIN", "HANDLED INCOMING"]);
    return this.log.map(({ text }) => text).filter((text) => !usual.has(text));
  }

  /** Returns the message of the last logged error. */
  lastError(): string {
    const errors = this.log.map(({ fields }) => fields["err"]).filter((err) => err !== undefined);
    return (errors.at(-1) as Error).message;
  }

  /** Advances time, and ends callbacks that exceed their limits. */
  passTime(ms: number): void {
    this.callbacks.checkTimeouts(performance.now() + ms);
    this.channels.checkOpenJoins(performance.now() + ms);
  }

  /** Sets the clock (ms since 1970), and ends expired connections. */
  clockTo(nowMs: number): void {
    this.nowMs = nowMs;
    this.expiries.look();
  }

  #closed(connection: RecordingConnection, code: number): void {
    this.#socketOf.get(connection)?.closed(code, { shutdown: "closed" });
  }
}

function socketOptionsOf({
  maxBacklog = 8,
  maxTopicBytes = 1_024,
  maxEventBytes = 256,
  maxJsonDepth = 1_000_000,
}: WorldOptions): SocketOptions {
  return { maxMailbox: maxBacklog, maxTopicBytes, maxEventBytes, maxJsonDepth };
}

function makeLimiter(
  limits: SocketLimits | undefined,
  refusals: Refusals,
): SocketLimiter | undefined {
  const table = new RateTable(makeRateTableMemory(8, "seed"));
  return limits && new SocketLimiter("/socket", limits, table, refusals);
}

/** A client of a world. */
export class WorldClient {
  readonly connection: RecordingConnection;
  readonly socket: Socket;

  constructor(socket: Socket, connection: RecordingConnection) {
    this.socket = socket;
    this.connection = connection;
  }

  /** Sends frames one after the other, as a burst. */
  send(...frames: string[]): void {
    for (const frame of frames) this.socket.receiveText(frame);
  }

  /** Sends binary frames given as hex; spaces are ignored. */
  sendHex(...frames: string[]): void {
    for (const frame of frames) {
      this.socket.receiveBytes(Buffer.from(frame.replaceAll(" ", ""), "hex"));
    }
  }

  /** Sends frames, and takes what is sent in response at once. */
  asked(...frames: string[]): string[] {
    this.send(...frames);
    return this.taken();
  }

  /** Takes the frames sent to it since the last call. */
  taken(): string[] {
    return this.connection.taken();
  }
}

/** A test's implementation of the port for tasks: the test decides their outcome. */
export class RecordingTasks implements Tasks {
  readonly given: (Deferred & { readonly name: string; isCancelled: boolean })[] = [];

  run(name: string, input: unknown): Task {
    const result = new Deferred();
    const task = Object.assign(result, { name, input, isCancelled: false });
    this.given.push(task);
    const cancel = (): void => {
      task.isCancelled = true;
    };
    return { result: result.promise, cancel };
  }
}

/** A watch that nothing is reported to. */
export const UNWATCHED: CallbackWatch = { begins: () => 0, ends: () => {} };

/** A promise that the test settles. */
export class Deferred<Value = unknown> {
  readonly promise: Promise<Value>;
  resolve: (value: Value) => void = () => {};
  reject: (error: unknown) => void = () => {};

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/** Runs everything that is due: promises, and work scheduled for the end of the loop's turn. */
export async function turn(): Promise<void> {
  for (let count = 0; count < 3; count += 1) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}
