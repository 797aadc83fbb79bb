/**
 * All options of a server in one table: environment variable, default, unit, range and limit.
 *
 * Runs on: any thread. Contains the table, and a function that checks a single value against it.
 */

import { CLUSTER_FORMS, clusterUrlRule, NO_CLUSTER } from "./cluster-schemes.ts";
import {
  checkInteger,
  checkText,
  nodeNameRule,
  SECRET_COMMAND,
  type IntegerOption,
  type TextOption,
} from "./values.ts";

/** Value of an option that names a file, if there is none. */
export const NO_FILE = "none";

/** Log levels, from the most to the least verbose. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

/** The options of a server. The table in the reference is generated from this. */
export const OPTIONS = {
  host: {
    kind: "text",
    env: "SIMURGH_HOST",
    default: "0.0.0.0",
    minBytes: 1,
    maxBytes: 255,
    about: "Address to listen on.",
    atLimit: "`serve` fails with SIM_ERR_LISTEN if the address is not available.",
  },
  port: {
    kind: "integer",
    env: "SIMURGH_PORT",
    default: 4000,
    min: 0,
    max: 65_535,
    unit: "port",
    about: "Port to listen on; 0 lets the system choose a free port.",
    atLimit: "`serve` fails with SIM_ERR_LISTEN if the port is taken.",
  },
  engine: {
    kind: "text",
    env: "SIMURGH_ENGINE",
    default: "auto",
    minBytes: 1,
    maxBytes: 4_096,
    about:
      "The part that speaks HTTP and WebSocket. `native`: uWebSockets.js, the package that the app has installed itself, or else the one that comes with Simurgh. `portable`: Node.js's own `http` with the package `ws`, which runs everywhere and takes more CPU. auto: native if it can be loaded here, otherwise portable. Or the name or path of a package with the API of uWebSockets.js, as found from the app.",
    atLimit:
      "`serve` fails with SIM_ERR_ENGINE_UNAVAILABLE if the engine cannot be loaded or lacks a call. auto never fails: the line about listening, `server.stats()` and `simurgh doctor` say which engine runs, and what keeps a faster one from running.",
  },
  tlsCert: {
    kind: "text",
    env: "SIMURGH_TLS_CERT",
    default: NO_FILE,
    minBytes: 1,
    maxBytes: 4_000,
    about: `Path of the server's certificate in PEM, followed by those of its issuers. With it and \`tlsKey\`, the port serves https and wss, and nothing else. ${NO_FILE}: http and ws.`,
    atLimit:
      "`serve` fails with SIM_ERR_TLS if the files cannot be used. If that happens later, when a shard is restarted, the previous certificate is kept, and a line is logged.",
  },
  tlsKey: {
    kind: "text",
    env: "SIMURGH_TLS_KEY",
    default: NO_FILE,
    minBytes: 1,
    maxBytes: 4_000,
    about: "Path of the private key of `tlsCert` in PEM, without a passphrase.",
    atLimit: "Same as for `tlsCert`.",
  },
  shards: {
    kind: "integer",
    env: "SIMURGH_SHARDS",
    default: "auto",
    min: 1,
    max: 64,
    unit: "shards",
    about:
      "Worker threads that serve connections. auto: the smaller of the machine's parallelism and the container's CPU quota.",
    atLimit: "New connections are distributed among the shards in turn.",
  },
  youngGenerationMb: {
    kind: "integer",
    env: "SIMURGH_YOUNG_GENERATION_MB",
    default: 16,
    min: 1,
    max: 1_024,
    unit: "MiB",
    about:
      "Size of the young generation of each shard's JavaScript heap, where new objects are allocated.",
    atLimit:
      "Surviving objects move to the old generation earlier. If one message creates more objects than fit, parsing it takes much longer: with 2 MiB, a message of 256 KiB can take three times as long as with 16.",
  },
  oldGenerationMb: {
    kind: "integer",
    env: "SIMURGH_OLD_GENERATION_MB",
    default: "auto",
    min: 64,
    max: 1_048_576,
    unit: "MiB",
    about:
      "Size of the old generation of each shard's JavaScript heap, where long-lived objects are kept. auto: the default of Node.js, but at most 2,000. Below 2 GiB, the garbage collector lets a heap grow to twice the memory in use; above that, to four times.",
    atLimit:
      "The process ends, as it always does when JavaScript runs out of memory. See `overloadHeapBytes`.",
  },
  startTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_START_TIMEOUT_MS",
    default: 60_000,
    min: 50,
    max: 3_600_000,
    unit: "ms",
    about:
      "Time for a thread to become ready: for a shard, to load the app module and run its `start`; for the link, to connect.",
    atLimit:
      "`serve` fails with SIM_ERR_SHARD_START. In a restart, the old thread keeps running. A shard that had ended is started again.",
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
      "The sender waits for space, at most 1 ms per turn of its event loop. Then the record is added to its overflow queue.",
  },
  overflowBytes: {
    kind: "integer",
    env: "SIMURGH_OVERFLOW_BYTES",
    default: 16_777_216,
    min: 65_536,
    max: 1_073_741_824,
    unit: "bytes",
    about: "Maximum number of bytes waiting for space in the ring from one thread to another.",
    atLimit:
      "Further records are lost for that thread, and its channels on these topics get phx_error. A single broadcast larger than this is rejected with an error.",
  },
  overflowTotalBytes: {
    kind: "integer",
    env: "SIMURGH_OVERFLOW_TOTAL_BYTES",
    default: 67_108_864,
    min: 65_536,
    max: 4_294_967_296,
    unit: "bytes",
    about: "Maximum number of bytes waiting for space in all rings of a sending thread.",
    atLimit: "Same as for `overflowBytes`.",
  },
  coalesceMs: {
    kind: "integer",
    env: "SIMURGH_COALESCE_MS",
    default: 0,
    min: 0,
    max: 1_000,
    unit: "ms",
    about:
      "Time for which a shard collects broadcasts, in order to send them to a client in one system call and to wake other shards only once. 0: only broadcasts within one turn of the event loop are sent together. Broadcasts are delayed by half of this time on average and keep their order relative to replies and pushes.",
    atLimit:
      "Broadcasts are sent. This happens earlier if a shard has collected more than 256 KiB of frames, or half a ring of records for another shard.",
  },
  indexBits: {
    kind: "integer",
    env: "SIMURGH_INDEX_BITS",
    default: 20,
    min: 8,
    max: 26,
    unit: "bits",
    about: "Size of the subscription index: 2^indexBits slots of 4 bytes per 32 threads each.",
    atLimit:
      "If topics share a slot, some records are sent to threads without a subscriber. Nothing is lost.",
  },
  historyThreads: {
    kind: "integer",
    env: "SIMURGH_HISTORY_THREADS",
    default: 1,
    min: 1,
    max: 16,
    unit: "threads",
    about:
      "Threads that keep the histories of topics, each of a part of the topics. None is started if no channel declares a history.",
    atLimit: "Broadcasts of topics with a history wait for their thread, like those for a shard.",
  },
  historyBytes: {
    kind: "integer",
    env: "SIMURGH_HISTORY_BYTES",
    default: 268_435_456,
    min: 1_048_576,
    max: 68_719_476_736,
    unit: "bytes",
    about:
      "Memory for the histories of all topics of the node, divided among `historyThreads`. It is allocated as it is needed.",
    atLimit:
      "Topics that were silent longest lose their oldest messages first (`historyEvicted`). Clients that need these get `recovered: false`.",
  },
  historyFile: {
    kind: "text",
    env: "SIMURGH_HISTORY_FILE",
    default: NO_FILE,
    minBytes: 1,
    maxBytes: 4_000,
    about: `Path under which histories are saved by an orderly stop and restored at the next start, in one file per history thread: \`<path>.0\` and so on. The directory must be persistent, and only one process may use the path. ${NO_FILE}: histories end with the process.`,
    atLimit:
      "If nothing can be written there, a line is logged at the start. If histories cannot be saved within `shutdownMs`, or cannot be restored within half of `startTimeoutMs`, a line is logged, and their topics begin new epochs: clients get `recovered: false`.",
  },
  maxFrameBytes: {
    kind: "integer",
    env: "SIMURGH_MAX_FRAME_BYTES",
    default: 262_144,
    min: 128,
    max: 268_435_456,
    unit: "bytes",
    about:
      "Largest message that a client may send, including a frame header of 6 to 14 bytes. A mount's `maxFrameBytes` overrides this. A shard does nothing else while it parses a message: up to 25 ms for 256 KiB, 125 ms for 1 MiB, and seconds for the 10 MB that Phoenix allows.",
    atLimit:
      "The connection is closed with 1009. If the message is more than 64 KiB larger, the connection is cut (1006).",
  },
  maxUnjoinedFrameBytes: {
    kind: "integer",
    env: "SIMURGH_MAX_UNJOINED_FRAME_BYTES",
    default: 32_768,
    min: 128,
    max: 268_435_456,
    unit: "bytes",
    about:
      "Largest message from a client that has not joined a channel yet, join parameters included. At most `maxFrameBytes`. Does not apply to raw sockets.",
    atLimit: "The connection is closed with 1009; a long-poll session ends.",
  },
  maxBodyBytes: {
    kind: "integer",
    env: "SIMURGH_MAX_BODY_BYTES",
    default: 262_144,
    min: 128,
    max: 268_435_456,
    unit: "bytes",
    about: "Largest body of a long-poll request or of a request to a route.",
    atLimit:
      "A long-poll request is answered with 400, as in Phoenix, a request to a route with 413.",
  },
  maxJsonDepth: {
    kind: "integer",
    env: "SIMURGH_MAX_JSON_DEPTH",
    default: 128,
    min: 8,
    max: 1_000_000,
    unit: "levels",
    about:
      "Depth to which lists and objects may be nested in a message of more than 4,096 characters. The time to write a value back grows with its depth: a reply with 16,000 nested lists, which are 32 KB, takes 150 ms. Does not apply to raw sockets and custom serializers.",
    atLimit: "The connection is closed with 1011, as for any malformed message.",
  },
  maxTopicBytes: {
    kind: "integer",
    env: "SIMURGH_MAX_TOPIC_BYTES",
    default: 1_024,
    min: 16,
    max: 1_048_576,
    unit: "bytes",
    about:
      "Longest topic in a message from a client. Does not apply to broadcasts of the app or the host.",
    atLimit:
      "The message is answered with error `topic too long`, or ignored if it has no ref. A join then fails like any refused join.",
  },
  maxEventBytes: {
    kind: "integer",
    env: "SIMURGH_MAX_EVENT_BYTES",
    default: 256,
    min: 16,
    max: 1_048_576,
    unit: "bytes",
    about: "Longest event in a message from a client.",
    atLimit:
      "The message is answered with error `event too long`, or ignored if it has no ref. The channel stays open.",
  },
  maxConnectionsPerAddress: {
    kind: "integer",
    env: "SIMURGH_MAX_CONNECTIONS_PER_ADDRESS",
    default: 0,
    min: 0,
    max: 1_000_000,
    unit: "connections",
    about:
      "WebSockets, long-poll sessions and connections of custom transports, such as server-sent events, of one client address on the whole node, including connection requests that `connect` has not decided yet. 0: no limit. For IPv6, the /64 network counts as an address. Behind a proxy all clients have the proxy's address, unless the endpoint's `trustProxy` names it.",
    atLimit: "The connection request is answered with 429.",
  },
  floodPauseMs: {
    kind: "integer",
    env: "SIMURGH_FLOOD_PAUSE_MS",
    default: 1_000,
    min: 0,
    max: 10_000,
    unit: "ms",
    about:
      "Time for which an address may not connect again, on the whole node, after one of its connections was cut for flooding. 0: none. Further cuts add to it, up to 10 s. For IPv6, the /64 network counts as an address. Unless the endpoint has `trustProxy`, requests that a proxy has forwarded (`Forwarded`, `X-Forwarded-For`, `X-Real-IP`) are exempt; behind a proxy that adds none of these headers, set it to 0.",
    atLimit: "The connection request is answered with 429 and Retry-After.",
  },
  maxPendingConnects: {
    kind: "integer",
    env: "SIMURGH_MAX_PENDING_CONNECTS",
    default: 1_000,
    min: 1,
    max: 1_000_000,
    unit: "connections",
    about:
      "Connection requests of one shard for which an asynchronous `connect` has not settled yet. Each keeps its parameters and headers, up to `maxHeaderBytes`.",
    atLimit: "Further requests are answered with 503, and clients try again.",
  },
  bodyTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_BODY_TIMEOUT_MS",
    default: 30_000,
    min: 50,
    max: 86_400_000,
    unit: "ms",
    about:
      "Time for the whole body of a long-poll request, or of a request to a route that reads it or is asynchronous.",
    atLimit: "The request is answered with 408, and its connection is closed.",
  },
  maxHeaderBytes: {
    kind: "integer",
    env: "SIMURGH_MAX_HEADER_BYTES",
    default: 16_384,
    min: 4_096,
    max: 1_048_576,
    unit: "bytes",
    about:
      "Maximum size of the head of an HTTP request. The first server sets this limit for the whole process.",
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
      "Time without data from a client after which its connection is closed. A mount's `timeoutMs` overrides this.",
    atLimit: "The connection is closed with 1002.",
  },
  maxConnections: {
    kind: "integer",
    env: "SIMURGH_MAX_CONNECTIONS",
    default: "auto",
    min: 1,
    max: 10_000_000,
    unit: "connections",
    about:
      "TCP connections of the whole node: WebSockets and HTTP. auto: the process's limit of open files (`ulimit -n`), less a reserve: 32, 16 per shard, and an eighth of the limit, at most 1,024.",
    atLimit:
      "The node stops listening until 5 % of the connections have ended: new ones are refused by the system. Meanwhile it is not ready. Connections that had been accepted already are closed.",
  },
  maxIdleConnections: {
    kind: "integer",
    env: "SIMURGH_MAX_IDLE_CONNECTIONS",
    default: "auto",
    min: 1,
    max: 10_000_000,
    unit: "connections",
    about:
      "TCP connections of the whole node without a WebSocket and without a request that waits for an answer: those whose first request is incomplete, and those kept alive between requests. auto: `maxConnections`, but at most 16,384. Each takes up to `maxHeaderBytes` of memory. Clients that reconnect all at once are idle until their shard has read their requests.",
    atLimit: "New connections are closed as soon as they open.",
  },
  maxChannels: {
    kind: "integer",
    env: "SIMURGH_MAX_CHANNELS",
    default: 100,
    min: 1,
    max: 100_000,
    unit: "channels",
    about: "Maximum number of joined topics per connection.",
    atLimit: "Further joins are answered with error `too many channels joined`.",
  },
  maxMailbox: {
    kind: "integer",
    env: "SIMURGH_MAX_MAILBOX",
    default: 1_000,
    min: 1,
    max: 1_000_000,
    unit: "messages",
    about: "Maximum number of messages waiting for a channel while its handler is busy.",
    atLimit: "The channel ends with phx_error `mailbox full`.",
  },
  maxWaitingBytes: {
    kind: "integer",
    env: "SIMURGH_MAX_WAITING_BYTES",
    default: 1_048_576,
    min: 1_024,
    max: 268_435_456,
    unit: "bytes",
    about:
      "Messages of a client that may wait while its joins and handlers are busy, for all channels of a connection together, counted as they were sent. In memory, a parsed message can take 20 times as much. So all connections of a shard together may have a twentieth of `overloadHeapBytes`.",
    atLimit:
      "A message beyond that closes the connection with 1008. At the limit of the shard, the connection with the most bytes is closed.",
  },
  maxBufferBytes: {
    kind: "integer",
    env: "SIMURGH_MAX_BUFFER_BYTES",
    default: "auto",
    min: 1_048_576,
    max: 1_099_511_627_776,
    unit: "bytes",
    about:
      "Bytes that the whole node may hold for others: frames that clients have not read, messages that wait for user code or for their turn, bodies that are incomplete or wait for their turn, requests forwarded to other threads, HTTP responses that clients have not read, and broadcasts that wait for other threads. auto: a quarter of the memory of the container or the machine. Not included: messages that have not arrived completely, which the engine holds (see `maxResidentBytes`), and what user code keeps.",
    atLimit:
      "Within a second, those that hold most are dropped, whatever shard they are on, until seven eighths of the limit are left: clients with unread frames are cut (1006), others closed with 1008, requests answered with 503, connections with unread responses cut, and topics whose broadcasts waited get phx_error.",
  },
  handlerTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_HANDLER_TIMEOUT_MS",
    default: 60_000,
    min: 50,
    max: 86_400_000,
    unit: "ms",
    about:
      "Time limit for asynchronous callbacks: `connect`, routes, and all callbacks of a channel except `join`.",
    atLimit:
      "The channel ends with phx_error `handler timeout`, the connection is refused with 500, or the request is answered with 503.",
  },
  joinTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_JOIN_TIMEOUT_MS",
    default: 30_000,
    min: 50,
    max: 86_400_000,
    unit: "ms",
    about:
      "Time limit for an asynchronous `join`. A channel's `joinTimeoutMs` overrides this. The official client gives up after 10 s by default.",
    atLimit:
      "The join is answered with error `join timeout` and the topic is free again. A later result is discarded.",
  },
  taskThreads: {
    kind: "integer",
    env: "SIMURGH_TASK_THREADS",
    default: "auto",
    min: 1,
    max: 256,
    unit: "threads",
    about:
      "Number of threads that run tasks for all shards; they start with the first task. auto: the number of CPUs minus 1, but at least 1.",
    atLimit: "A task waits for a free thread.",
  },
  maxTaskQueue: {
    kind: "integer",
    env: "SIMURGH_MAX_TASK_QUEUE",
    default: 1_000,
    min: 0,
    max: 1_000_000,
    unit: "tasks",
    about: "Maximum number of tasks waiting for a thread.",
    atLimit: "Further tasks are rejected immediately.",
  },
  taskTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_TASK_TIMEOUT_MS",
    default: 30_000,
    min: 50,
    max: 86_400_000,
    unit: "ms",
    about: "Time limit for a task, measured from the moment a thread starts it.",
    atLimit:
      "The task is rejected. If it does not react to its signal, its thread is terminated and replaced.",
  },
  maxBackpressureBytes: {
    kind: "integer",
    env: "SIMURGH_MAX_BACKPRESSURE_BYTES",
    default: 1_048_576,
    min: 16_384,
    max: 1_073_741_824,
    unit: "bytes",
    about: "Maximum number of bytes waiting for a client that reads too slowly.",
    atLimit:
      "If the number does not decrease within `slowClientMs`, or as soon as it reaches 8 times this limit, the socket's `slowClients` applies: the connection is cut, or its channels get phx_error `client too slow`. The client then joins again.",
  },
  slowClientMs: {
    kind: "integer",
    env: "SIMURGH_SLOW_CLIENT_MS",
    default: 1_000,
    min: 1,
    max: 3_600_000,
    unit: "ms",
    about:
      "Time within which a client above `maxBackpressureBytes` must read some of the waiting bytes.",
    atLimit: "The client counts as too slow; see `maxBackpressureBytes`.",
  },
  longpollWindowMs: {
    kind: "integer",
    env: "SIMURGH_LONGPOLL_WINDOW_MS",
    default: 10_000,
    min: 100,
    max: 3_600_000,
    unit: "ms",
    about:
      "Maximum time that a long-poll request waits. A mount's `windowMs` overrides this. Clients give up after 20 s.",
    atLimit:
      "A poll is answered with 204, a POST with 408. A session that is not polled for 1.5 times this long ends.",
  },
  longpollTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_LONGPOLL_TIMEOUT_MS",
    default: 2_000,
    min: 50,
    max: 3_600_000,
    unit: "ms",
    about:
      "Time limit for an answer from the shard that owns a long-poll session, on this node or another, and for another node to confirm a call of a custom transport. For long-poll, a mount's `pubsubTimeoutMs` overrides this.",
    atLimit:
      "The session is considered gone, and the client reconnects. If a shard on another node takes longer to confirm a batch, the session ends. The call is rejected.",
  },
  longpollMaxAgeMs: {
    kind: "integer",
    env: "SIMURGH_LONGPOLL_MAX_AGE_MS",
    default: 1_209_600_000,
    min: 1_000,
    max: 31_536_000_000,
    unit: "ms",
    about: "Maximum age of a long-poll session. A mount's `maxAgeMs` overrides this.",
    atLimit: "The session is considered gone, and the client reconnects.",
  },
  overloadLagMs: {
    kind: "integer",
    env: "SIMURGH_OVERLOAD_LAG_MS",
    default: 2_000,
    min: 1,
    max: 3_600_000,
    unit: "ms",
    about: "Event loop lag above which a shard is overloaded if the lag persists.",
    atLimit:
      "Joins, and messages of more than 4 KiB, are answered with error `overloaded` until the lag is well below this.",
  },
  overloadHeapBytes: {
    kind: "integer",
    env: "SIMURGH_OVERLOAD_HEAP_BYTES",
    default: "auto",
    min: 1_048_576,
    max: 1_099_511_627_776,
    unit: "bytes",
    about:
      "JavaScript heap above which a shard is overloaded, together with memory outside the heap that belongs to it, such as buffers. Shared memory is not included. auto: 60 % of `oldGenerationMb`.",
    atLimit:
      "Joins, and messages of more than 4 KiB, are answered with error `overloaded` until the memory is well below this. Handlers that await may hold such messages in memory.",
  },
  maxResidentBytes: {
    kind: "integer",
    env: "SIMURGH_MAX_RESIDENT_BYTES",
    default: "auto",
    min: 1_048_576,
    max: 1_099_511_627_776,
    unit: "bytes",
    about:
      "Resident memory of the process above which all shards are overloaded. It also limits the incomplete messages that the engine holds and does not report. They take at most `maxFrameBytes` + 64 KiB for each connection. auto: 85 % of the memory of the container or the machine.",
    atLimit:
      "Joins, and messages of more than 4 KiB, are answered with error `overloaded`. While the memory grows, the connections that have not completed a message for longest are cut (1006), in each shard at most an eighth of them every 250 ms.",
  },
  maxUnjoinedConnections: {
    kind: "integer",
    env: "SIMURGH_MAX_UNJOINED_CONNECTIONS",
    default: "auto",
    min: 1,
    max: 10_000_000,
    unit: "connections",
    about:
      "Connections of the whole node that have not joined a channel, over any transport, divided among the shards. Raw sockets are not included. auto: half of `maxConnections`.",
    atLimit:
      "Connections that have been open for longer than `unjoinedTimeoutMs` are closed with 1008, the oldest first, until there are no more than this. Below the limit they may stay. A long-poll session ends with 410.",
  },
  unjoinedTimeoutMs: {
    kind: "integer",
    env: "SIMURGH_UNJOINED_TIMEOUT_MS",
    default: 10_000,
    min: 250,
    max: 86_400_000,
    unit: "ms",
    about: "Time to join a channel while there are more than `maxUnjoinedConnections`.",
    atLimit: "The connection is closed with 1008.",
  },
  withdrawPercent: {
    kind: "integer",
    env: "SIMURGH_WITHDRAW_PERCENT",
    default: 150,
    min: 100,
    max: 10_000,
    unit: "percent",
    about:
      "Second threshold of overload, as a percentage of `overloadLagMs`, `overloadHeapBytes` and `maxResidentBytes`.",
    atLimit:
      "The shard receives no new connections until its load is well below this threshold. If all shards are above it, requests are answered with 503 and Retry-After.",
  },
  stallMs: {
    kind: "integer",
    env: "SIMURGH_STALL_MS",
    default: 2_000,
    min: 300,
    max: 3_600_000,
    unit: "ms",
    about:
      "Time for which code may block a shard's event loop. While a debugger is attached to the process, no stacks are taken and no callbacks are ended.",
    atLimit:
      "The shard is stuck: it gets no new connections until its loop turns, and is logged with the topic, event and stack of the code that holds it. A callback that holds a stuck shard when the node closes is ended. If all shards are stuck for 30 times as long, the server has failed.",
  },
  slowCallbackMs: {
    kind: "integer",
    env: "SIMURGH_SLOW_CALLBACK_MS",
    default: 100,
    min: 40,
    max: 3_600_000,
    unit: "ms",
    about:
      "Time for which a callback of a channel or raw socket may hold its shard's event loop without returning or awaiting. Measured with a precision of 20 ms.",
    atLimit:
      "A warning with topic and event, at most one per shard in 10 s, a counter and a telemetry event.",
  },
  rateTableBits: {
    kind: "integer",
    env: "SIMURGH_RATE_TABLE_BITS",
    default: 16,
    min: 4,
    max: 24,
    unit: "bits",
    about:
      "Size of the table for rate limits per id and address: two rows of 2^rateTableBits words of 4 bytes. The table is shared by all shards and uses no memory if there are no such limits. `maxConnectionsPerAddress` takes another such table for each thread.",
    atLimit:
      "The table is never full: ids and addresses that share a word in both rows share a limit. A fraction of (keys at their limits / words per row)² of the keys within their limits is refused incorrectly.",
  },
  presencePeriodMs: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_PERIOD_MS",
    default: 1_500,
    min: 20,
    max: 3_600_000,
    unit: "ms",
    about:
      "Interval at which changed presences are sent to other nodes. A presence's `broadcastPeriodMs` overrides this. Threads of the same node receive each change immediately.",
    atLimit: "All changes within a period are sent together.",
  },
  presenceSilentPeriods: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_SILENT_PERIODS",
    default: 10,
    min: 1,
    max: 1_000,
    unit: "periods",
    about:
      "Periods without a change after which a heartbeat is sent to other nodes. A presence's `maxSilentPeriods` overrides this.",
    atLimit: "The heartbeat is sent.",
  },
  presenceDownMs: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_DOWN_MS",
    default: "auto",
    min: 40,
    max: 86_400_000,
    unit: "ms",
    about:
      "Time without messages from another node's shard after which its presences are hidden. auto: twice the silent periods, but at least three periods. A presence's `downPeriodMs` overrides this.",
    atLimit: "Its presences leave. They join again when the shard is reachable again.",
  },
  presencePermdownMs: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_PERMDOWN_MS",
    default: 1_200_000,
    min: 60,
    max: 604_800_000,
    unit: "ms",
    about:
      "Time without messages from another node's shard after which its presences are forgotten. A presence's `permdownPeriodMs` overrides this.",
    atLimit: "If the shard becomes reachable again, all its presences are requested from it.",
  },
  presenceDeltaSize: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_DELTA_SIZE",
    default: 10_000,
    min: 1,
    max: 1_000_000,
    unit: "leaves",
    about:
      "Maximum number of its own leaves that a shard remembers for replicas that missed them. A presence's `maxDeltaSize` overrides this.",
    atLimit: "A replica that missed more leaves receives all presences of the shard.",
  },
  presenceMaxBytes: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_MAX_BYTES",
    default: 16_384,
    min: 256,
    max: 32_768,
    unit: "bytes",
    about:
      "Maximum size of a presence as JSON: topic, key and meta together. A presence's `maxBytes` overrides this.",
    atLimit: "`track` and `update` throw SIM_ERR_PRESENCE.",
  },
  presenceClientBytes: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_CLIENT_BYTES",
    default: 65_536,
    min: 256,
    max: 16_777_216,
    unit: "bytes",
    about:
      "Maximum size of all presences that the channels of one connection track, as JSON. Each is in the memory of every shard of every node. A presence's `maxClientBytes` overrides this. Does not apply to presences of the app itself.",
    atLimit: "`track` and `update` throw SIM_ERR_PRESENCE.",
  },
  presenceFetchMs: {
    kind: "integer",
    env: "SIMURGH_PRESENCE_FETCH_MS",
    default: 5_000,
    min: 20,
    max: 86_400_000,
    unit: "ms",
    about: "Time limit for a presence's `fetch`. The presence's `fetchTimeoutMs` overrides this.",
    atLimit: "The diff is sent with the tracked metas only, and the failure is logged.",
  },
  drainMs: {
    kind: "integer",
    env: "SIMURGH_DRAIN_MS",
    default: 10_000,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    about: "Time for clients to receive their last bytes after the last batch of a drain.",
    atLimit: "Connections with unsent bytes are cut.",
  },
  drainBatch: {
    kind: "integer",
    env: "SIMURGH_DRAIN_BATCH",
    default: 1_000,
    min: 1,
    max: 1_000_000,
    unit: "connections",
    about:
      "Number of connections that one batch of a drain closes on the whole node, in `drain`, `close` and the restart of a shard. Phoenix: `batch_size`.",
    atLimit: "The next batch is closed `drainIntervalMs` later.",
  },
  drainIntervalMs: {
    kind: "integer",
    env: "SIMURGH_DRAIN_INTERVAL_MS",
    default: 1_000,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    about: "Time from one batch of a drain to the next. Phoenix: `batch_interval`.",
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
      "Percentage of the interval over which the connections of a full batch are closed at random moments; smaller batches take less time. 0 closes a batch at once, like Phoenix.",
    atLimit: "Clients reconnect as evenly as their connections are closed.",
  },
  drainLimitMs: {
    kind: "integer",
    env: "SIMURGH_DRAIN_LIMIT_MS",
    default: 30_000,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    about: "Time limit for all batches of a drain. Phoenix: `shutdown`.",
    atLimit: "Batches are made larger than `drainBatch`, so that all of them fit.",
  },
  drainDelayMs: {
    kind: "integer",
    env: "SIMURGH_DRAIN_DELAY_MS",
    default: 0,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    about:
      "Time for which a draining node still accepts connections while it reports that it is not ready, so that a load balancer can react.",
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
      "Time for a shard to answer a question from the host about subscribers, topics, sockets, channels or presences.",
    atLimit: "The question is rejected with SIM_ERR_SHARD_BUSY, naming the shard.",
  },
  shutdownMs: {
    kind: "integer",
    env: "SIMURGH_SHUTDOWN_MS",
    default: 5_000,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    about:
      "Time limit for each of a shard's final steps after its last connection has closed: its channels' `terminate` and the answers of its routes, the app's `stop`, and the end of its thread.",
    atLimit: "The next step begins. After the last step, the thread is terminated.",
  },
  nodeName: {
    kind: "text",
    env: "SIMURGH_NODE_NAME",
    default: "auto",
    minBytes: 1,
    maxBytes: 255,
    // Not the function itself, because declarations would refer to it by a name that is not exported.
    rule: (text: string) => nodeNameRule(text),
    about:
      "Name of this node, unique in its cluster. auto: random. The name of an `adapter` passed in code overrides this.",
    atLimit: "If another node has the same name, `serve` fails with SIM_ERR_NODE_NAME.",
  },
  clusterUrl: {
    kind: "text",
    env: "SIMURGH_CLUSTER_URL",
    default: NO_CLUSTER,
    minBytes: 4,
    maxBytes: 4_096,
    secret: true,
    rule: (text: string) => clusterUrlRule(text),
    about: `Server that connects the nodes of a cluster, such as ${CLUSTER_FORMS}. ${NO_CLUSTER}: a single node.`,
    atLimit:
      "While the server is unreachable, the node works alone and keeps trying to reconnect. Afterwards, all topics are notified that they missed broadcasts.",
  },
  clusterName: {
    kind: "text",
    env: "SIMURGH_CLUSTER_NAME",
    default: "simurgh",
    minBytes: 1,
    maxBytes: 255,
    about:
      "Name of the cluster. Only nodes with the same cluster name are connected, so several clusters can share a server.",
    atLimit: "Nodes with another name do not receive broadcasts of this cluster.",
  },
  clusterQueueBytes: {
    kind: "integer",
    env: "SIMURGH_CLUSTER_QUEUE_BYTES",
    default: 67_108_864,
    min: 65_536,
    max: 4_294_967_296,
    unit: "bytes",
    about: "Maximum number of bytes waiting for a response from the server of `clusterUrl`.",
    atLimit:
      "Further broadcasts to other nodes are lost, and the channels on these topics there get phx_error.",
  },
  secretKeyBase: {
    kind: "text",
    env: "SIMURGH_SECRET_KEY_BASE",
    default: "auto",
    minBytes: 64,
    maxBytes: 4_096,
    secret: true,
    advice: `to make one: ${SECRET_COMMAND}`,
    about: "Secret from which all keys are derived. auto: random, with a warning.",
    atLimit: "With a random secret, tokens are valid only until the process ends.",
  },
  logLevel: {
    kind: "text",
    env: "SIMURGH_LOG_LEVEL",
    default: "info",
    minBytes: 1,
    maxBytes: 16,
    choices: LOG_LEVELS,
    about: "Lowest level of log lines to write.",
    atLimit: "Lines below this level are not written.",
  },
  logQueueBytes: {
    kind: "integer",
    env: "SIMURGH_LOG_QUEUE_BYTES",
    default: "auto",
    min: 65_536,
    max: 1_073_741_824,
    unit: "bytes",
    about:
      "Memory for log lines, and for what user code on shards prints, until they are written to standard output and standard error. Each of the threads has a part of it for each of the two. auto: 1 MiB for each thread, at most 16 MiB.",
    atLimit:
      "Further lines of that thread are dropped and counted (`outputDropped`). When the stream is read again, a line says how many.",
  },
  logLinesPerConnection: {
    kind: "integer",
    env: "SIMURGH_LOG_LINES_PER_CONNECTION",
    default: 100,
    min: 1,
    max: 1_000_000,
    unit: "lines",
    about: "Log lines of one kind about one connection within 10 s.",
    atLimit: "Further lines are suppressed; within 10 s, a line says how many.",
  },
  logLinesPerSecond: {
    kind: "integer",
    env: "SIMURGH_LOG_LINES_PER_SECOND",
    default: 2_000,
    min: 1,
    max: 10_000_000,
    unit: "lines",
    about:
      "Log lines of all shards per second. Each shard may write an equal part of them, of which one kind of line may use half.",
    atLimit: "Further lines are suppressed; within 10 s, a line says how many.",
  },
} as const satisfies Record<string, IntegerOption | TextOption>;

/** Name of an option. */
export type OptionName = keyof typeof OPTIONS;

type ValueOf<Name extends OptionName> = (typeof OPTIONS)[Name]["kind"] extends "integer"
  ? number
  : string;

/** Options as passed by a caller. */
export type Options = { readonly [Name in OptionName]?: ValueOf<Name> | undefined };

/** Options with all defaults filled in and all values checked. */
export type ResolvedOptions = { readonly [Name in OptionName]: ValueOf<Name> };

/** Returns the scheme of requests to the server. */
export function schemeOf({ tlsCert }: Pick<ResolvedOptions, "tlsCert">): "http" | "https" {
  return tlsCert === NO_FILE ? "http" : "https";
}

/**
 * Checks a value that overrides an option of the server, for example for one mount.
 *
 * @param subject - name of the value in the error message
 * @throws SIM_ERR_OPTION_INVALID if the value is out of the option's range
 */
export function checkOption(name: OptionName, subject: string, value: unknown): void {
  const option: IntegerOption | TextOption = OPTIONS[name];
  if (option.kind === "text") checkText(subject, option, value);
  else checkInteger(subject, option, value);
}
