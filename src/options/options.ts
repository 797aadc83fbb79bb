/**
 * The options of a server: variable, default, unit, range, and what happens at the limit.
 *
 * Runs on: any thread. A table, and a check against it.
 */

import { CLUSTER_FORMS, clusterUrlRule, NO_CLUSTER } from "./cluster-schemes.ts";
import {
  checkInteger,
  checkText,
  nodeNameRule,
  type IntegerOption,
  type TextOption,
} from "./values.ts";

/** Levels of the log, from the most to the fewest lines. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

/** The options. The table in the reference is generated from these. */
export const OPTIONS = {
  host: {
    kind: "text",
    env: "SIMURGH_HOST",
    default: "0.0.0.0",
    minBytes: 1,
    maxBytes: 255,
    about: "Address to listen on.",
    atLimit: "`serve` fails if the address is not one of this machine's.",
  },
  port: {
    kind: "integer",
    env: "SIMURGH_PORT",
    default: 4000,
    min: 0,
    max: 65_535,
    unit: "port",
    about: "Port to listen on. 0 lets the system choose one.",
    atLimit: "`serve` fails if the port is taken.",
  },
  shards: {
    kind: "integer",
    env: "SIMURGH_SHARDS",
    default: "auto",
    min: 1,
    max: 64,
    unit: "shards",
    about:
      "Worker threads that serve connections. auto: the CPUs of the machine, or the container's CPU quota if that is smaller.",
    atLimit: "Connections are dealt to the shards in turn.",
  },
  youngGenerationMb: {
    kind: "integer",
    env: "SIMURGH_YOUNG_GENERATION_MB",
    default: 2,
    min: 1,
    max: 1_024,
    unit: "MiB",
    about:
      "Young generation of each shard's JavaScript heap, where objects are allocated. A small one keeps the memory of idle connections small.",
    atLimit:
      "Objects that are still alive move to the old generation. With many live objects, a larger young generation saves work for the garbage collector.",
  },
  oldGenerationMb: {
    kind: "integer",
    env: "SIMURGH_OLD_GENERATION_MB",
    default: "auto",
    min: 64,
    max: 1_048_576,
    unit: "MiB",
    about:
      "Old generation of each shard's JavaScript heap. auto: what Node.js allows, at most 2,000. Below 2 GiB the garbage collector lets a heap grow to twice what is in use, above it to four times.",
    atLimit:
      "The process ends, as always when JavaScript runs out of memory; see `overloadHeapBytes`.",
  },
  startTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_START_TIMEOUT_MS",
    default: 60_000,
    min: 50,
    max: 3_600_000,
    unit: "ms",
    about:
      "Time for a thread to become ready: a shard loads the app module and waits for its `start`; the link connects.",
    atLimit:
      "`serve` fails with SIM_ERR_SHARD_START. A shard that is being restarted keeps its old thread; one that ended is tried again.",
  },
  ringBytes: {
    kind: "integer",
    env: "SIMURGH_RING_BYTES",
    default: "auto",
    min: 4_096,
    max: 67_108_864,
    unit: "bytes",
    powerOfTwo: true,
    about:
      "Capacity of the ring from one thread to another, a power of two. auto: 256 MiB divided by the number of rings, from 64 KiB to 1 MiB.",
    atLimit:
      "The sender waits for room, at most 1 ms in one turn of its event loop. Then the record waits in the sender's overflow queue.",
  },
  overflowBytes: {
    kind: "integer",
    env: "SIMURGH_OVERFLOW_BYTES",
    default: 16_777_216,
    min: 65_536,
    max: 1_073_741_824,
    unit: "bytes",
    about: "Bytes that may wait for room in the ring from one thread to another.",
    atLimit:
      "Further broadcasts are lost for that thread, and its channels on these topics get phx_error. A single broadcast larger than this is refused to its sender.",
  },
  overflowTotalBytes: {
    kind: "integer",
    env: "SIMURGH_OVERFLOW_TOTAL_BYTES",
    default: 67_108_864,
    min: 65_536,
    max: 4_294_967_296,
    unit: "bytes",
    about: "Bytes that may wait for room in all rings of one sending thread together.",
    atLimit: "The same as for `overflowBytes`.",
  },
  coalesceMs: {
    kind: "integer",
    env: "SIMURGH_COALESCE_MS",
    default: 0,
    min: 0,
    max: 1_000,
    unit: "ms",
    about:
      "Window in which a shard holds broadcasts, so that each client gets all of them in one system call and other shards are woken once. 0: no window; broadcasts of one turn of the event loop still leave together. Broadcasts are later by half a window on average, and keep their order with replies and pushes.",
    atLimit:
      "A window ends early when a shard holds more than 256 KiB of frames, or half a ring is full.",
  },
  indexBits: {
    kind: "integer",
    env: "SIMURGH_INDEX_BITS",
    default: 20,
    min: 8,
    max: 26,
    unit: "bits",
    about: "Slots of the subscription index, as a power of two; 4 bytes each per 32 threads.",
    atLimit:
      "Topics that share a slot cost some threads a record that they ignore. No broadcast is lost.",
  },
  maxFrameBytes: {
    kind: "integer",
    env: "SIMURGH_MAX_FRAME_BYTES",
    default: 10_000_000,
    min: 128,
    max: 268_435_456,
    unit: "bytes",
    about: "Largest message from a client, including the 6 to 14 bytes of the frame's header.",
    atLimit:
      "The connection is closed with 1009. More than 1 MiB above the limit it is cut (1006).",
  },
  maxHeaderBytes: {
    kind: "integer",
    env: "SIMURGH_MAX_HEADER_BYTES",
    default: 16_384,
    min: 4_096,
    max: 1_048_576,
    unit: "bytes",
    about: "Largest head of an HTTP request. The first server in a process sets it for all.",
    atLimit: "The request is answered with 431.",
  },
  idleTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_IDLE_TIMEOUT_MS",
    default: 60_000,
    min: 250,
    max: 86_400_000,
    unit: "ms",
    about:
      "Time without any frame from a client after which its connection is closed. A mount's `timeoutMs` overrides it.",
    atLimit: "The connection is closed with 1002.",
  },
  maxChannels: {
    kind: "integer",
    env: "SIMURGH_MAX_CHANNELS",
    default: 100,
    min: 1,
    max: 100_000,
    unit: "channels",
    about: "Topics that one connection may have joined at the same time.",
    atLimit: "A further join is answered with error `too many channels joined`.",
  },
  maxMailbox: {
    kind: "integer",
    env: "SIMURGH_MAX_MAILBOX",
    default: 1_000,
    min: 1,
    max: 1_000_000,
    unit: "messages",
    about: "Messages that may wait for one channel while its handler is running.",
    atLimit: "The channel ends with phx_error `mailbox full`.",
  },
  handlerTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_HANDLER_TIMEOUT_MS",
    default: 60_000,
    min: 50,
    max: 86_400_000,
    unit: "ms",
    about:
      "Time limit of an asynchronous callback: of a channel (except `join`), of `connect`, or of a route.",
    atLimit:
      "The channel ends with phx_error `handler timeout`; a connection is refused with 500; a route is answered with 503.",
  },
  joinTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_JOIN_TIMEOUT_MS",
    default: 30_000,
    min: 50,
    max: 86_400_000,
    unit: "ms",
    about:
      "Time limit of an asynchronous `join`. A channel's `joinTimeoutMs` overrides it. The official client gives up after 10 s by default.",
    atLimit:
      "The join is answered with error `join timeout`, and the topic is free. A later result is ignored.",
  },
  taskThreads: {
    kind: "integer",
    env: "SIMURGH_TASK_THREADS",
    default: "auto",
    min: 1,
    max: 256,
    unit: "threads",
    about:
      "Threads that run the tasks of all shards, started with the first task. auto: the number of CPUs minus one, at least 1.",
    atLimit: "Further tasks wait for a thread.",
  },
  maxTaskQueue: {
    kind: "integer",
    env: "SIMURGH_MAX_TASK_QUEUE",
    default: 1_000,
    min: 0,
    max: 1_000_000,
    unit: "tasks",
    about: "Tasks that may wait for a thread.",
    atLimit: "A further task is rejected at once.",
  },
  taskTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_TASK_TIMEOUT_MS",
    default: 30_000,
    min: 50,
    max: 86_400_000,
    unit: "ms",
    about: "Time limit of a task, counted from when it gets a thread.",
    atLimit:
      "The task is rejected. If it does not end by its signal, its thread is terminated and replaced.",
  },
  maxBackpressureBytes: {
    kind: "integer",
    env: "SIMURGH_MAX_BACKPRESSURE_BYTES",
    default: 1_048_576,
    min: 16_384,
    max: 1_073_741_824,
    unit: "bytes",
    about: "Bytes that may wait for a client that reads too slowly.",
    atLimit:
      "The client is too slow if this does not shrink within `slowClientMs`, or reaches 8 times the limit. Then the socket's `slowClients` decides: the connection is cut, or its channels get phx_error `client too slow`. The client rejoins.",
  },
  slowClientMs: {
    kind: "integer",
    env: "SIMURGH_SLOW_CLIENT_MS",
    default: 1_000,
    min: 1,
    max: 3_600_000,
    unit: "ms",
    about: "Time in which a client above `maxBackpressureBytes` must have read some of it.",
    atLimit: "The client is too slow; see `maxBackpressureBytes`.",
  },
  longpollWindowMs: {
    kind: "integer",
    env: "SIMURGH_LONGPOLL_WINDOW_MS",
    default: 10_000,
    min: 100,
    max: 3_600_000,
    unit: "ms",
    about:
      "How long a long-poll request may wait. A mount's `windowMs` overrides it. Clients give up after 20 s.",
    atLimit:
      "A poll is answered with 204, a POST with 408. A session that is not polled for 1.5 times as long ends.",
  },
  longpollTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_LONGPOLL_TIMEOUT_MS",
    default: 2_000,
    min: 50,
    max: 3_600_000,
    unit: "ms",
    about:
      "How long the shard of a long-poll session, on this node or another, may take to answer for it. A mount's `pubsubTimeoutMs` overrides it.",
    atLimit:
      "The session counts as gone, and the client reconnects. If a shard of another node takes longer to confirm a batch, the session ends.",
  },
  longpollMaxAgeMs: {
    kind: "integer",
    env: "SIMURGH_LONGPOLL_MAX_AGE_MS",
    default: 1_209_600_000,
    min: 1_000,
    max: 31_536_000_000,
    unit: "ms",
    about: "Lifetime of a long-poll session. A mount's `maxAgeMs` overrides it.",
    atLimit: "The session counts as gone, and the client reconnects.",
  },
  overloadLagMs: {
    kind: "integer",
    env: "SIMURGH_OVERLOAD_LAG_MS",
    default: 2_000,
    min: 1,
    max: 3_600_000,
    unit: "ms",
    about: "Lag of a shard's event loop that counts as overload if it happens again and again.",
    atLimit: "Joins are answered with error `overloaded`, until the lag is well below the limit.",
  },
  overloadHeapBytes: {
    kind: "integer",
    env: "SIMURGH_OVERLOAD_HEAP_BYTES",
    default: "auto",
    min: 1_048_576,
    max: 1_099_511_627_776,
    unit: "bytes",
    about: "JavaScript heap of a shard that counts as overload. auto: 60 % of `oldGenerationMb`.",
    atLimit: "Joins are answered with error `overloaded`, until the heap is well below the limit.",
  },
  withdrawPercent: {
    kind: "integer",
    env: "SIMURGH_WITHDRAW_PERCENT",
    default: 150,
    min: 100,
    max: 10_000,
    unit: "percent",
    about: "Second threshold of overload, in percent of `overloadLagMs` and `overloadHeapBytes`.",
    atLimit:
      "The shard gets no new connections until it is well below the threshold. If all shards are above it, requests get 503 with Retry-After.",
  },
  rateTableBits: {
    kind: "integer",
    env: "SIMURGH_RATE_TABLE_BITS",
    default: 16,
    min: 4,
    max: 24,
    unit: "bits",
    about:
      "Words in each of the two rows of the table of rate limits per id and address, as a power of two; 4 bytes each, shared by all shards. The table takes no memory if there are no such limits.",
    atLimit:
      "The table is never full. Ids and addresses that share a word in both rows share a limit: a share of (keys at their limits / words of a row)² of the others is refused wrongly.",
  },
  presencePeriodMs: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_PERIOD_MS",
    default: 1_500,
    min: 20,
    max: 3_600_000,
    unit: "ms",
    about:
      "How often other nodes are told of changes to presences. A presence's `broadcastPeriodMs` overrides it. Threads of one node are told at once.",
    atLimit: "Changes within one period are sent together.",
  },
  presenceSilentPeriods: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_SILENT_PERIODS",
    default: 10,
    min: 1,
    max: 1_000,
    unit: "periods",
    about:
      "Periods without a change after which other nodes get a sign of life. A presence's `maxSilentPeriods` overrides it.",
    atLimit: "The sign of life is sent.",
  },
  presenceDownMs: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_DOWN_MS",
    default: "auto",
    min: 40,
    max: 86_400_000,
    unit: "ms",
    about:
      "Time without a sign of life from a shard of another node after which its presences are hidden. auto: twice the silent periods, at least three periods. A presence's `downPeriodMs` overrides it.",
    atLimit: "Its presences leave. They join again with its next sign of life.",
  },
  presencePermdownMs: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_PERMDOWN_MS",
    default: 1_200_000,
    min: 60,
    max: 604_800_000,
    unit: "ms",
    about:
      "Time without a sign of life from a shard of another node after which its presences are forgotten. A presence's `permdownPeriodMs` overrides it.",
    atLimit: "All of its presences are requested again with its next sign of life.",
  },
  presenceDeltaSize: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_DELTA_SIZE",
    default: 10_000,
    min: 1,
    max: 1_000_000,
    unit: "leaves",
    about:
      "Removed presences that a shard remembers for nodes that missed them. A presence's `maxDeltaSize` overrides it.",
    atLimit: "A node that missed more gets all presences of the shard.",
  },
  presenceMaxBytes: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_MAX_BYTES",
    default: 16_384,
    min: 256,
    max: 32_768,
    unit: "bytes",
    about: "Largest presence: topic, key and meta as JSON. A presence's `maxBytes` overrides it.",
    atLimit: "`track` and `update` throw SIM_ERR_PRESENCE.",
  },
  presenceFetchMs: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_FETCH_MS",
    default: 5_000,
    min: 20,
    max: 86_400_000,
    unit: "ms",
    about: "Time limit of a presence's `fetch`. Its `fetchTimeoutMs` overrides it.",
    atLimit: "The diff is sent with the metas as they were tracked, and the log has a line.",
  },
  drainMs: {
    kind: "integer",
    env: "SIMURGH_DRAIN_MS",
    default: 10_000,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    about: "Time for clients to read their last bytes, after the last batch of a drain.",
    atLimit: "Connections that still have unsent bytes are cut.",
  },
  drainBatch: {
    kind: "integer",
    env: "SIMURGH_DRAIN_BATCH",
    default: 1_000,
    min: 1,
    max: 1_000_000,
    unit: "connections",
    about:
      "Connections of the node that are closed in one batch of a drain, whether by `drain`, by `close` or by the restart of a shard. Phoenix's `batch_size`.",
    atLimit: "The next batch is closed `drainIntervalMs` later.",
  },
  drainIntervalMs: {
    kind: "integer",
    env: "SIMURGH_DRAIN_INTERVAL_MS",
    default: 1_000,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    about: "Time from one batch of a drain to the next. Phoenix's `batch_interval`.",
    atLimit: "The next batch is closed. Its clients reconnect to other nodes or shards.",
  },
  drainJitterPercent: {
    kind: "integer",
    env: "SIMURGH_DRAIN_JITTER_PERCENT",
    default: 100,
    min: 0,
    max: 100,
    unit: "percent",
    about:
      "Share of the interval over which the connections of a batch are closed at random times; smaller batches take less. 0: a batch is closed at once, as in Phoenix.",
    atLimit: "Clients reconnect as evenly as their connections were closed.",
  },
  drainLimitMs: {
    kind: "integer",
    env: "SIMURGH_DRAIN_LIMIT_MS",
    default: 30_000,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    about: "Time limit of all batches of a drain. Phoenix's `shutdown`.",
    atLimit: "Batches become larger than `drainBatch`, so that they fit.",
  },
  drainDelayMs: {
    kind: "integer",
    env: "SIMURGH_DRAIN_DELAY_MS",
    default: 0,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    about:
      "How long a draining node still accepts connections after it stopped being ready, so that a load balancer can notice.",
    atLimit: "New connections are refused, and the first batch is closed.",
  },
  controlTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_CONTROL_TIMEOUT_MS",
    default: 5_000,
    min: 50,
    max: 3_600_000,
    unit: "ms",
    about:
      "Time for a shard to answer a question of the host: about subscribers, topics, sockets, channels or presences.",
    atLimit: "The question is rejected with SIM_ERR_SHARD_BUSY, which names the shard.",
  },
  shutdownMs: {
    kind: "integer",
    env: "SIMURGH_SHUTDOWN_MS",
    default: 5_000,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    about:
      "Time limit of each of a shard's last steps, after its last connection was closed: `terminate` of its channels, `stop` of the app, the end of its thread.",
    atLimit: "The next step starts. At the end the thread is terminated, whatever it still does.",
  },
  nodeName: {
    kind: "text",
    env: "SIMURGH_NODE_NAME",
    default: "auto",
    minBytes: 1,
    maxBytes: 255,
    rule: nodeNameRule,
    about:
      "Name of this node, unique in its cluster. auto: a random name. The name in an `adapter` given in code wins.",
    atLimit: "If another node has the name, `serve` fails with SIM_ERR_NODE_NAME.",
  },
  clusterUrl: {
    kind: "text",
    env: "SIMURGH_CLUSTER_URL",
    default: NO_CLUSTER,
    minBytes: 4,
    maxBytes: 4_096,
    secret: true,
    rule: clusterUrlRule,
    about: `URL of the server that links nodes, as ${CLUSTER_FORMS}. ${NO_CLUSTER}: this node is alone.`,
    atLimit:
      "If the server is unavailable, the node serves alone and retries. Then all topics are told that they missed broadcasts.",
  },
  clusterName: {
    kind: "text",
    env: "SIMURGH_CLUSTER_NAME",
    default: "simurgh",
    minBytes: 1,
    maxBytes: 255,
    about:
      "Name of the cluster, if several clusters use one server. Nodes with the same name are linked.",
    atLimit: "Nodes with another name hear nothing of this cluster.",
  },
  clusterQueueBytes: {
    kind: "integer",
    env: "SIMURGH_CLUSTER_QUEUE_BYTES",
    default: 67_108_864,
    min: 65_536,
    max: 4_294_967_296,
    unit: "bytes",
    about: "Bytes that may wait for answers from the server of `clusterUrl`.",
    atLimit:
      "Further broadcasts are lost for other nodes, and their channels on these topics get phx_error.",
  },
  secretKeyBase: {
    kind: "text",
    env: "SIMURGH_SECRET_KEY_BASE",
    default: "auto",
    minBytes: 64,
    maxBytes: 4_096,
    secret: true,
    about: "Secret from which all keys are derived. auto: a random one, with a warning.",
    atLimit: "With a random secret, tokens are valid only until the process ends.",
  },
  logLevel: {
    kind: "text",
    env: "SIMURGH_LOG_LEVEL",
    default: "info",
    minBytes: 1,
    maxBytes: 16,
    choices: LOG_LEVELS,
    about: "Lowest level of log lines that are written.",
    atLimit: "Lower lines are not made.",
  },
} as const satisfies Record<string, IntegerOption | TextOption>;

/** Name of an option. */
export type OptionName = keyof typeof OPTIONS;

type ValueOf<Name extends OptionName> = (typeof OPTIONS)[Name]["kind"] extends "integer"
  ? number
  : string;

/** Options of `serve`. */
export type Options = { readonly [Name in OptionName]?: ValueOf<Name> | undefined };

/** Options with defaults filled in and values checked. */
export type ResolvedOptions = { readonly [Name in OptionName]: ValueOf<Name> };

/**
 * Checks a value that overrides an option in one place, as for a mount or a channel.
 *
 * @param subject - its name in messages
 * @throws SIM_ERR_OPTION_INVALID if it is out of the option's range
 */
export function checkOption(name: OptionName, subject: string, value: unknown): void {
  const option: IntegerOption | TextOption = OPTIONS[name];
  if (option.kind === "text") checkText(subject, option, value);
  else checkInteger(subject, option, value);
}
