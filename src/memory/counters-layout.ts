/**
 * Layout of the counters: a block of doubles for each member, and the table of counter names.
 *
 *   member 0              member 1              ...
 *   0                     COUNTERS_BYTES
 *   +---------------------+---------------------+--
 *   | connections         | connections         |     each counter is a Float64
 *   | channels            | channels            |     written only by the member
 *   | ...                 | ...                 |     read by any thread
 *   +---------------------+---------------------+--
 *
 * A block consists of whole pairs of cache lines, so members do not share lines (no false sharing).
 * To add a counter, add a row to the table.
 *
 * Runs on: any thread. Constants and arithmetic only.
 */

interface CounterRow {
  /**
   * A total only increases. A gauge is a current value. A peak is the highest value so far. A level
   * is a current value too, but the levels of several threads are combined by taking the maximum
   * instead of the sum.
   */
  readonly kind: "total" | "gauge" | "peak" | "level";
  readonly about: string;
}

/** The counters of a member: for each, its kind and a description. */
export const COUNTERS = {
  connections: { kind: "gauge", about: "Open connections." },
  tcpConnections: { kind: "gauge", about: "Open TCP connections, with a WebSocket or without." },
  idleConnections: {
    kind: "gauge",
    about: "TCP connections that are no WebSocket and have no request that waits for an answer.",
  },
  connectionsRefused: {
    kind: "total",
    about: "TCP connections closed at once, by `maxConnections` or `maxIdleConnections`.",
  },
  listenPauses: {
    kind: "total",
    about: "Times that the node stopped listening, because it had no room for connections.",
  },
  socketsNotFound: {
    kind: "total",
    about: "Requests for a socket at a path that has none, answered with 404.",
  },
  channels: { kind: "gauge", about: "Joined channels." },
  presences: { kind: "gauge", about: "Presences tracked on this member." },
  sessions: { kind: "gauge", about: "Open long-poll sessions; also counted as connections." },
  requestsForwarded: {
    kind: "total",
    about: "Long-poll requests forwarded to the shard that owns the session.",
  },
  framesIn: { kind: "total", about: "Frames received from clients." },
  framesOut: { kind: "total", about: "Frames sent to clients." },
  bytesIn: { kind: "total", about: "Bytes of frames received from clients." },
  bytesOut: { kind: "total", about: "Bytes of frames sent to clients." },
  broadcasts: { kind: "total", about: "Broadcasts started on this member." },
  records: { kind: "total", about: "Records written or queued for other members." },
  recordsWithoutSubscriber: {
    kind: "total",
    about: "Records received for topics without a subscriber here.",
  },
  skippedOnV1: {
    kind: "total",
    about: "Channels on protocol version 1 that were skipped by a binary broadcast.",
  },
  lapped: { kind: "total", about: "Records lost on the way to other members, which are notified." },
  broadcastsUnsent: {
    kind: "total",
    about:
      "Channels ended with phx_error because the copies of a large broadcast would have exceeded `maxBufferBytes`.",
  },
  engineSkips: { kind: "total", about: "Batches of frames that the engine skipped for a client." },
  floodCut: {
    kind: "total",
    about: "Connections cut because more messages waited for the turn budget than may wait.",
  },
  floodPaused: {
    kind: "total",
    about: "Connection requests refused with 429 during a pause of their address (`floodPauseMs`).",
  },
  requestsDelayed: {
    kind: "total",
    about: "HTTP requests that waited for a later turn of the event loop.",
  },
  bufferedBytes: {
    kind: "gauge",
    about:
      "Bytes held for clients and for other threads, as counted for `maxBufferBytes`; 0 while they are far below the limit.",
  },
  buffersShed: {
    kind: "total",
    about: "Connections closed, requests refused and queues dropped because of `maxBufferBytes`.",
  },
  silentCut: {
    kind: "total",
    about: "Silent connections cut because of `maxResidentBytes`.",
  },
  unjoinedClosed: {
    kind: "total",
    about: "Connections without a channel closed because of `maxUnjoinedConnections`.",
  },
  slowCut: { kind: "total", about: "Connections cut because the client read too slowly." },
  slowEnded: {
    kind: "total",
    about: "Channels ended with phx_error because the client read too slowly.",
  },
  leftOut: {
    kind: "total",
    about: "Broadcasts that channels with `slow` skipped for a slow client.",
  },
  joinsOverloaded: { kind: "total", about: "Joins refused because the shard was overloaded." },
  messagesOverloaded: {
    kind: "total",
    about: "Messages of more than 4 KiB refused because the shard was overloaded.",
  },
  rateLimited: { kind: "total", about: "Messages and joins refused by a rate limit." },
  floodIgnored: {
    kind: "total",
    about:
      "Refused messages and joins left unanswered because the client was far above its limits.",
  },
  connectsLimited: { kind: "total", about: "Connection requests refused by a rate limit." },
  addressesFull: {
    kind: "total",
    about: "Connection requests refused with 429 by `maxConnectionsPerAddress`.",
  },
  addressesMissing: {
    kind: "total",
    about:
      "Connection requests to which `perAddress` limits did not apply, because no address is known.",
  },
  turnedAway: {
    kind: "total",
    about: "Requests answered with 503 by the main thread because no shard accepts connections.",
  },
  overflowBytes: { kind: "gauge", about: "Bytes waiting for space in other members' rings." },
  waitedMs: { kind: "total", about: "Milliseconds that broadcasts waited for space." },
  stalledMembers: {
    kind: "gauge",
    about: "Other members that do not read the records waiting for them.",
  },
  ringHighWaterBytes: {
    kind: "peak",
    about: "Maximum number of bytes seen in a ring to this member.",
  },
  droppedStale: {
    kind: "total",
    about: "Records dropped because their sender's number was retired.",
  },
  historyKept: { kind: "total", about: "Messages kept in histories. Belongs to keepers." },
  historyRefused: {
    kind: "total",
    about:
      "Broadcasts of topics with a history that could not be kept and were sent to live subscribers only. Belongs to keepers.",
  },
  historyEvicted: {
    kind: "total",
    about: "Kept messages dropped early because of `historyBytes`. Belongs to keepers.",
  },
  historyMessages: { kind: "gauge", about: "Messages in histories. Belongs to keepers." },
  historyTopics: { kind: "gauge", about: "Topics with a history in memory. Belongs to keepers." },
  historyBytes: { kind: "gauge", about: "Memory in use by histories. Belongs to keepers." },
  historyReplayed: {
    kind: "total",
    about:
      "Kept messages sent to clients that joined with a history, or fetched again after a loss.",
  },
  historyRecovered: {
    kind: "total",
    about: "Joins with a history from which nothing was missing.",
  },
  historyNotRecovered: {
    kind: "total",
    about: "Joins with a history from which something was missing (`recovered: false`).",
  },
  historySkipped: {
    kind: "total",
    about: "Kept messages that could not be encoded for a client and were left out of its replay.",
  },
  sentToNodes: { kind: "total", about: "Broadcasts that the link passed to its adapter." },
  heardFromNodes: { kind: "total", about: "Broadcasts received from other nodes." },
  lostToNodes: {
    kind: "total",
    about: "Broadcasts lost on the way to other nodes, which are notified.",
  },
  linkDown: { kind: "level", about: "1 while the link has no connection to other nodes." },
  tasksWaiting: {
    kind: "gauge",
    about: "Tasks waiting for a thread of the pool. All task counters belong to main.",
  },
  tasksRunning: { kind: "gauge", about: "Running tasks." },
  tasksDone: { kind: "total", about: "Tasks that returned a result." },
  tasksFailed: { kind: "total", about: "Tasks that threw or could not be run." },
  tasksCancelled: { kind: "total", about: "Tasks that were cancelled." },
  tasksRefused: { kind: "total", about: "Tasks refused because the queue was full." },
  tasksTimedOut: { kind: "total", about: "Tasks that exceeded their time limit." },
  tasksWaitedMs: { kind: "total", about: "Milliseconds that tasks waited for a thread." },
  tasksRanMs: { kind: "total", about: "Milliseconds that tasks occupied a thread." },
  uncaught: { kind: "total", about: "Exceptions outside any handler." },
  outputDropped: {
    kind: "total",
    about:
      "Log lines, and writes of user code to standard output and error, dropped by `logQueueBytes`.",
  },
  slowCallbacks: {
    kind: "total",
    about: "Callbacks that held the event loop for `slowCallbackMs` or longer.",
  },
  stuckShards: {
    kind: "gauge",
    about: "Shards whose event loop has not turned for `stallMs`. Belongs to main.",
  },
  loopLagMs: { kind: "level", about: "Lag of this thread's event loop (ms)." },
  heapBytes: { kind: "gauge", about: "Bytes of JavaScript heap in use." },
  externalBytes: {
    kind: "gauge",
    about: "Bytes outside the heap that belong to its objects, such as buffers.",
  },
  residentBytes: {
    kind: "level",
    about: "Resident memory of the whole process (bytes), as a shard sees it.",
  },
  overloadLevel: {
    kind: "level",
    about: "0: normal; 1: refuses joins; 2: also receives no new connections.",
  },
} as const satisfies Record<string, CounterRow>;

/** Name of a counter. */
export type CounterName = keyof typeof COUNTERS;

/** Names of all counters, in the order in which they are stored in a block. */
export const COUNTER_NAMES = Object.keys(COUNTERS) as CounterName[];

/** Index of each counter in a block. */
export const COUNTER = Object.freeze(
  Object.fromEntries(COUNTER_NAMES.map((name, index) => [name, index])) as Record<
    CounterName,
    number
  >,
);

const CACHE_LINE_PAIR_BYTES = 128;

/** Size of one member's block (bytes). */
export const COUNTERS_BYTES =
  Math.ceil((COUNTER_NAMES.length * 8) / CACHE_LINE_PAIR_BYTES) * CACHE_LINE_PAIR_BYTES;

/** Returns the size of the counters for a given number of members (bytes). */
export function countersBytes(members: number): number {
  return members * COUNTERS_BYTES;
}
