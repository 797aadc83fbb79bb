/**
 * Every option of a server: its variable, default, unit, range and limit, in one table.
 *
 * Runs on: any thread. A table, and the check of one value by it.
 */

import { CLUSTER_FORMS, clusterUrlRule, NO_CLUSTER } from "./cluster-schemes.ts";
import {
  checkInteger,
  checkText,
  nodeNameRule,
  type IntegerOption,
  type TextOption,
} from "./values.ts";

/** Levels of the log, from the most to the least. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

/** Each option of a server. The reference's table is made from this. */
export const OPTIONS = {
  host: {
    kind: "text",
    env: "SIMURGH_HOST",
    default: "0.0.0.0",
    minBytes: 1,
    maxBytes: 255,
    about: "Address to listen on.",
    atLimit: "An address that is not ours is an error of `serve`.",
  },
  port: {
    kind: "integer",
    env: "SIMURGH_PORT",
    default: 4000,
    min: 0,
    max: 65_535,
    unit: "port",
    about: "Port to listen on; 0 lets the system choose one.",
    atLimit: "A taken port is an error of `serve`.",
  },
  shards: {
    kind: "integer",
    env: "SIMURGH_SHARDS",
    default: "auto",
    min: 1,
    max: 64,
    unit: "shards",
    about:
      "Worker threads that serve connections; auto is the smaller of the machine's parallelism and the container's CPU quota.",
    atLimit: "Each shard takes its share of the connections, in turns.",
  },
  youngGenerationMb: {
    kind: "integer",
    env: "SIMURGH_YOUNG_GENERATION_MB",
    default: 2,
    min: 1,
    max: 1_024,
    unit: "MiB",
    about:
      "Young generation of each shard's JavaScript heap, where objects begin; a small one keeps what an idle connection holds in memory small.",
    atLimit:
      "Objects that live longer than that move to the old generation sooner; with many live ones at a time, a larger one spares the collector work.",
  },
  oldGenerationMb: {
    kind: "integer",
    env: "SIMURGH_OLD_GENERATION_MB",
    default: "auto",
    min: 64,
    max: 1_048_576,
    unit: "MiB",
    about:
      "Old generation of each shard's JavaScript heap, where objects stay; auto is what Node.js allows, and at most 2,000. Below 2 GiB the collector lets a heap grow to twice what is in use, above that to four times.",
    atLimit:
      "The process ends, as always where JavaScript finds no memory; see `overloadHeapBytes`.",
  },
  startTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_START_TIMEOUT_MS",
    default: 60_000,
    min: 50,
    max: 3_600_000,
    unit: "ms",
    about:
      "Time for a thread to be ready: for a shard to load the app module and settle its `start`, for the link to connect.",
    atLimit:
      "`serve` fails with SIM_ERR_SHARD_START; a shard that is restarted goes on as it was, one that ended is tried again.",
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
      "Capacity of the ring from one thread to another, a power of two; auto is 256 MiB over the number of rings, within 64 KiB and 1 MiB.",
    atLimit:
      "Who broadcasts waits for room, at most 1 ms in one turn of its loop; then the record waits in its sender's overflow queue.",
  },
  overflowBytes: {
    kind: "integer",
    env: "SIMURGH_OVERFLOW_BYTES",
    default: 16_777_216,
    min: 65_536,
    max: 1_073_741_824,
    unit: "bytes",
    about: "What may wait for room in the ring from one thread to one other.",
    atLimit:
      "What comes beyond is lost for that thread, whose channels on the topics concerned get phx_error; a single broadcast larger than this is refused to its sender.",
  },
  overflowTotalBytes: {
    kind: "integer",
    env: "SIMURGH_OVERFLOW_TOTAL_BYTES",
    default: 67_108_864,
    min: 65_536,
    max: 4_294_967_296,
    unit: "bytes",
    about: "What may wait for room in all rings of one sending thread together.",
    atLimit: "As for the bound of one pair.",
  },
  coalesceMs: {
    kind: "integer",
    env: "SIMURGH_COALESCE_MS",
    default: 0,
    min: 0,
    max: 1_000,
    unit: "ms",
    about:
      "Window in which a shard holds broadcasts, to send each client all of them by one system call, and to wake another shard once for all; 0 for none, when only what meets within one turn of the event loop leaves together. A broadcast is later by half a window on average, and keeps its order with replies and pushes.",
    atLimit:
      "More than 256 KiB of frames of a shard, or half a ring to another, end a window before its time.",
  },
  indexBits: {
    kind: "integer",
    env: "SIMURGH_INDEX_BITS",
    default: 20,
    min: 8,
    max: 26,
    unit: "bits",
    about: "The subscription index has two to this power of slots, of 4 bytes per 32 threads.",
    atLimit: "Topics that share a slot cost records that find no subscriber, never a lost one.",
  },
  maxFrameBytes: {
    kind: "integer",
    env: "SIMURGH_MAX_FRAME_BYTES",
    default: 10_000_000,
    min: 128,
    max: 268_435_456,
    unit: "bytes",
    about: "Largest message that a client may send, with the 6 to 14 bytes of a frame's header.",
    atLimit: "The connection is closed with 1009; beyond 1 MiB more it is cut (1006).",
  },
  maxHeaderBytes: {
    kind: "integer",
    env: "SIMURGH_MAX_HEADER_BYTES",
    default: 16_384,
    min: 4_096,
    max: 1_048_576,
    unit: "bytes",
    about: "Largest head of an HTTP request. One value for the process: the first server's.",
    atLimit: "The request is answered with 431.",
  },
  idleTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_IDLE_TIMEOUT_MS",
    default: 60_000,
    min: 250,
    max: 86_400_000,
    unit: "ms",
    about: "Silence of a client after which its connection is closed; a mount's `timeoutMs` wins.",
    atLimit: "The connection is closed with 1002.",
  },
  maxChannels: {
    kind: "integer",
    env: "SIMURGH_MAX_CHANNELS",
    default: 100,
    min: 1,
    max: 100_000,
    unit: "channels",
    about: "Topics that one connection may have joined at once.",
    atLimit: "A further join is answered with error `too many channels joined`.",
  },
  maxMailbox: {
    kind: "integer",
    env: "SIMURGH_MAX_MAILBOX",
    default: 1_000,
    min: 1,
    max: 1_000_000,
    unit: "messages",
    about: "Messages that may wait for one channel whose handler is still at work.",
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
      "Time that one asynchronous callback may take: of a channel but for `join`, `connect`, or a route.",
    atLimit:
      "The channel ends with phx_error `handler timeout`; a connection is refused with 500, a route's request answered with 503.",
  },
  joinTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_JOIN_TIMEOUT_MS",
    default: 30_000,
    min: 50,
    max: 86_400_000,
    unit: "ms",
    about:
      "Time that an asynchronous `join` may take; a channel's `joinTimeoutMs` wins. The official client gives up after 10 s, unless it is told otherwise.",
    atLimit:
      "The join is answered with error `join timeout`, and the topic is free; what it gives later is dropped.",
  },
  taskThreads: {
    kind: "integer",
    env: "SIMURGH_TASK_THREADS",
    default: "auto",
    min: 1,
    max: 256,
    unit: "threads",
    about:
      "Threads that run the tasks of all shards, made at the first task; auto is one less than the CPUs that there are, at least 1.",
    atLimit: "A task that finds all threads at work waits for one.",
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
    about: "Time that one task may take, from when a thread is free for it.",
    atLimit:
      "The task is rejected. Where it does not end by its signal, its thread is ended and replaced.",
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
      "Where it does not get less within `slowClientMs`, or is 8 times as much at once, the socket's `slowClients` decides: the connection is cut, or its channels get phx_error `client too slow`; the client joins anew.",
  },
  slowClientMs: {
    kind: "integer",
    env: "SIMURGH_SLOW_CLIENT_MS",
    default: 1_000,
    min: 1,
    max: 3_600_000,
    unit: "ms",
    about: "Time in which a client beyond `maxBackpressureBytes` must have taken some of it.",
    atLimit: "It reads too slowly; see `maxBackpressureBytes`.",
  },
  longpollWindowMs: {
    kind: "integer",
    env: "SIMURGH_LONGPOLL_WINDOW_MS",
    default: 10_000,
    min: 100,
    max: 3_600_000,
    unit: "ms",
    about:
      "How long a long-poll request may wait; a mount's `windowMs` wins. Clients give up after 20 s.",
    atLimit:
      "A poll is answered with 204, a POST with 408; a session that is not polled for 1.5 times as long ends.",
  },
  longpollTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_LONGPOLL_TIMEOUT_MS",
    default: 2_000,
    min: 50,
    max: 3_600_000,
    unit: "ms",
    about:
      "How long the shard that has a long-poll session, on this node or another, may take to say so; a mount's `pubsubTimeoutMs` wins.",
    atLimit:
      "The session counts as gone: the client connects anew. Where a shard of another node takes longer to say that it delivered a batch, the session ends.",
  },
  longpollMaxAgeMs: {
    kind: "integer",
    env: "SIMURGH_LONGPOLL_MAX_AGE_MS",
    default: 1_209_600_000,
    min: 1_000,
    max: 31_536_000_000,
    unit: "ms",
    about: "How long a long-poll session may be used; a mount's `maxAgeMs` wins.",
    atLimit: "The session counts as gone: the client connects anew.",
  },
  overloadLagMs: {
    kind: "integer",
    env: "SIMURGH_OVERLOAD_LAG_MS",
    default: 2_000,
    min: 1,
    max: 3_600_000,
    unit: "ms",
    about: "How late a shard's event loop may run, again and again.",
    atLimit: "Joins are answered with error `overloaded` until it is well below.",
  },
  overloadHeapBytes: {
    kind: "integer",
    env: "SIMURGH_OVERLOAD_HEAP_BYTES",
    default: "auto",
    min: 1_048_576,
    max: 1_099_511_627_776,
    unit: "bytes",
    about: "JavaScript heap that a shard may use; auto is 60 % of `oldGenerationMb`.",
    atLimit: "Joins are answered with error `overloaded` until it is well below.",
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
      "The shard gets no new connections until it is well below; where all shards are so, requests get 503 with Retry-After.",
  },
  rateTableBits: {
    kind: "integer",
    env: "SIMURGH_RATE_TABLE_BITS",
    default: 16,
    min: 4,
    max: 24,
    unit: "bits",
    about:
      "The table of rate limits per id and address has two rows of two to this power of words, of 4 bytes. Shared by all shards; without such limits it takes no memory.",
    atLimit:
      "Never full: ids and addresses that share a word in both rows share a limit. Of those within their limits a share of (keys at their limits / words of a row)² is refused wrongly.",
  },
  presencePeriodMs: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_PERIOD_MS",
    default: 1_500,
    min: 20,
    max: 3_600_000,
    unit: "ms",
    about:
      "How often other nodes are told which presences changed; a presence's `broadcastPeriodMs` wins. Threads of one node hear of each change at once.",
    atLimit: "What changed within the period goes out together.",
  },
  presenceSilentPeriods: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_SILENT_PERIODS",
    default: 10,
    min: 1,
    max: 1_000,
    unit: "periods",
    about:
      "Periods without a change after which other nodes get a sign of life; a presence's `maxSilentPeriods` wins.",
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
      "Silence of a shard of another node after which what it tracked is not seen; auto is twice the silent periods, at least three periods; a presence's `downPeriodMs` wins.",
    atLimit: "Its presences leave; they join again when it is heard again.",
  },
  presencePermdownMs: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_PERMDOWN_MS",
    default: 1_200_000,
    min: 60,
    max: 604_800_000,
    unit: "ms",
    about:
      "Silence of a shard of another node after which what it tracked is forgotten; a presence's `permdownPeriodMs` wins.",
    atLimit: "It is asked for all of it when it is heard again.",
  },
  presenceDeltaSize: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_DELTA_SIZE",
    default: 10_000,
    min: 1,
    max: 1_000_000,
    unit: "leaves",
    about:
      "Presences that left, of its own, which a shard remembers for who missed it; a presence's `maxDeltaSize` wins.",
    atLimit: "Who missed more is sent all that is tracked there.",
  },
  presenceMaxBytes: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_MAX_BYTES",
    default: 16_384,
    min: 256,
    max: 32_768,
    unit: "bytes",
    about: "Largest presence, as JSON: topic, key and meta together; a presence's `maxBytes` wins.",
    atLimit: "`track` and `update` throw SIM_ERR_PRESENCE.",
  },
  presenceFetchMs: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_FETCH_MS",
    default: 5_000,
    min: 20,
    max: 86_400_000,
    unit: "ms",
    about: "Time for a presence's `fetch` to settle; its `fetchTimeoutMs` wins.",
    atLimit: "The diff goes out as it was tracked, and a line in the log says so.",
  },
  drainMs: {
    kind: "integer",
    env: "SIMURGH_DRAIN_MS",
    default: 10_000,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    about: "Time for clients to take their last bytes, after the last batch of a drain.",
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
      "Connections of the node that one batch of a drain closes: of `drain`, `close`, or the restart of a shard. Phoenix's `batch_size`.",
    atLimit: "The next batch is closed `drainIntervalMs` later.",
  },
  drainIntervalMs: {
    kind: "integer",
    env: "SIMURGH_DRAIN_INTERVAL_MS",
    default: 1_000,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    about: "From one batch of a drain to the next. Phoenix's `batch_interval`.",
    atLimit: "The next batch is closed; its clients come back to other nodes, or shards.",
  },
  drainJitterPercent: {
    kind: "integer",
    env: "SIMURGH_DRAIN_JITTER_PERCENT",
    default: 100,
    min: 0,
    max: 100,
    unit: "percent",
    about:
      "Share of the interval over which the connections of a whole batch are closed, at random moments, and those of a small one in a shorter time; 0 closes a batch at once, as Phoenix does.",
    atLimit: "Clients come back as evenly as connections were closed.",
  },
  drainLimitMs: {
    kind: "integer",
    env: "SIMURGH_DRAIN_LIMIT_MS",
    default: 30_000,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    about: "Time for all batches of a drain. Phoenix's `shutdown`.",
    atLimit: "Batches are larger than `drainBatch`, and so fit.",
  },
  drainDelayMs: {
    kind: "integer",
    env: "SIMURGH_DRAIN_DELAY_MS",
    default: 0,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    about:
      "For how long a node that drains still takes connections, while it says that it is not ready: time for a balancer to notice.",
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
      "Time for a shard to answer what the host asks: subscribers, topics, sockets, channels, presences.",
    atLimit: "The question is rejected with SIM_ERR_SHARD_BUSY, which says which shard is late.",
  },
  shutdownMs: {
    kind: "integer",
    env: "SIMURGH_SHUTDOWN_MS",
    default: 5_000,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    about:
      "Time for each of a shard's last steps after its last connection is closed: its channels' `terminate`, the app's `stop`, its thread's end.",
    atLimit: "The next step begins; at last the thread is ended, whatever it still does.",
  },
  nodeName: {
    kind: "text",
    env: "SIMURGH_NODE_NAME",
    default: "auto",
    minBytes: 1,
    maxBytes: 255,
    rule: nodeNameRule,
    about:
      "Name of this node, unique in its cluster; auto is random. That of an `adapter` given in code wins.",
    atLimit: "Where another node has it, `serve` fails with SIM_ERR_NODE_NAME.",
  },
  clusterUrl: {
    kind: "text",
    env: "SIMURGH_CLUSTER_URL",
    default: NO_CLUSTER,
    minBytes: 4,
    maxBytes: 4_096,
    secret: true,
    rule: clusterUrlRule,
    about: `Server by which nodes hear each other, as ${CLUSTER_FORMS}; ${NO_CLUSTER}: this node is alone.`,
    atLimit:
      "Where it is away, the node serves alone and tries again; then all topics are told what they missed.",
  },
  clusterName: {
    kind: "text",
    env: "SIMURGH_CLUSTER_NAME",
    default: "simurgh",
    minBytes: 1,
    maxBytes: 255,
    about: "Nodes of one name hear each other, where several clusters use one server.",
    atLimit: "Nodes of another name hear nothing of these.",
  },
  clusterQueueBytes: {
    kind: "integer",
    env: "SIMURGH_CLUSTER_QUEUE_BYTES",
    default: 67_108_864,
    min: 65_536,
    max: 4_294_967_296,
    unit: "bytes",
    about: "What may wait for the answer of the server of `clusterUrl`.",
    atLimit:
      "What comes beyond is lost for other nodes, whose channels on the topics concerned get phx_error.",
  },
  secretKeyBase: {
    kind: "text",
    env: "SIMURGH_SECRET_KEY_BASE",
    default: "auto",
    minBytes: 64,
    maxBytes: 4_096,
    secret: true,
    about: "Secret that all keys are derived from; auto is random, with a warning.",
    atLimit: "With a random secret, tokens end with the process.",
  },
  logLevel: {
    kind: "text",
    env: "SIMURGH_LOG_LEVEL",
    default: "info",
    minBytes: 1,
    maxBytes: 16,
    choices: LOG_LEVELS,
    about: "Least level of lines that are logged.",
    atLimit: "Lines below it are not made.",
  },
} as const satisfies Record<string, IntegerOption | TextOption>;

/** Name of an option. */
export type OptionName = keyof typeof OPTIONS;

type ValueOf<Name extends OptionName> = (typeof OPTIONS)[Name]["kind"] extends "integer"
  ? number
  : string;

/** Options as a caller gives them. */
export type Options = { readonly [Name in OptionName]?: ValueOf<Name> | undefined };

/** Options with every default filled in and every value checked. */
export type ResolvedOptions = { readonly [Name in OptionName]: ValueOf<Name> };

/**
 * Checks a value that stands in for a server's option in one place.
 *
 * @param subject - what the message calls it
 * @throws SIM_ERR_OPTION_INVALID where it is out of the option's range
 */
export function checkOption(name: OptionName, subject: string, value: unknown): void {
  const option: IntegerOption | TextOption = OPTIONS[name];
  if (option.kind === "text") checkText(subject, option, value);
  else checkInteger(subject, option, value);
}
