/**
 * Layout of the counters: a block of doubles for each member, and the table of their names.
 *
 *   member 0              member 1              ...
 *   0                     COUNTERS_BYTES
 *   +---------------------+---------------------+--
 *   | connections         | connections         |     each a Float64
 *   | channels            | channels            |     written by its member only
 *   | ...                 | ...                 |     read by anyone
 *   +---------------------+---------------------+--
 *
 * A block fills whole pairs of cache lines, so that members do not slow each other down.
 * A new counter is one row here.
 *
 * Runs on: any thread. Constants and arithmetic only.
 */

interface CounterRow {
  /**
   * A total only grows, a gauge is the value of now, a peak the highest so far; a level is of now
   * too, but of several threads' levels the highest counts, not the sum.
   */
  readonly kind: "total" | "gauge" | "peak" | "level";
  readonly about: string;
}

/** Each counter of a member: what kind it is and what it counts. */
export const COUNTERS = {
  connections: { kind: "gauge", about: "Open connections." },
  channels: { kind: "gauge", about: "Joined channels." },
  presences: { kind: "gauge", about: "Presences that are tracked here." },
  sessions: { kind: "gauge", about: "Open long-poll sessions; they count as connections too." },
  requestsForwarded: {
    kind: "total",
    about: "Long-poll requests handed to the shard that has their session.",
  },
  framesIn: { kind: "total", about: "Frames from clients." },
  framesOut: { kind: "total", about: "Frames to clients." },
  bytesIn: { kind: "total", about: "Bytes of frames from clients." },
  bytesOut: { kind: "total", about: "Bytes of frames to clients." },
  broadcasts: { kind: "total", about: "Broadcasts begun here." },
  records: { kind: "total", about: "Records written or queued for other members." },
  recordsWithoutSubscriber: { kind: "total", about: "Records that found no subscriber here." },
  skippedOnV1: { kind: "total", about: "Channels on version 1 that a binary broadcast skipped." },
  lapped: { kind: "total", about: "Records lost on the way to other members, who are told." },
  engineSkips: { kind: "total", about: "Batches of frames that the engine skipped for a client." },
  slowCut: { kind: "total", about: "Connections cut: their clients read too slowly." },
  slowEnded: {
    kind: "total",
    about: "Channels ended by phx_error: their clients read too slowly.",
  },
  leftOut: { kind: "total", about: "Broadcasts that channels with `slow` left out for a client." },
  joinsOverloaded: { kind: "total", about: "Joins refused: the shard is overloaded." },
  turnedAway: { kind: "total", about: "Requests that main answered with 503: no shard takes any." },
  overflowBytes: { kind: "gauge", about: "Bytes that wait for room in other members' rings." },
  waitedMs: { kind: "total", about: "Milliseconds that broadcasts waited for room." },
  stalledMembers: { kind: "gauge", about: "Other members that take nothing of what waits." },
  ringHighWaterBytes: { kind: "peak", about: "Most bytes seen in a ring to this member." },
  droppedStale: { kind: "total", about: "Records dropped: their sender's number was retired." },
  sentToNodes: { kind: "total", about: "Broadcasts that the link handed to its adapter." },
  heardFromNodes: { kind: "total", about: "Broadcasts of other nodes that came by the link." },
  lostToNodes: { kind: "total", about: "Broadcasts lost on the way to other nodes, who are told." },
  linkDown: { kind: "level", about: "1 while the link has no connection to other nodes." },
  tasksWaiting: { kind: "gauge", about: "Tasks that wait for a thread of the pool. Of main." },
  tasksRunning: { kind: "gauge", about: "Tasks that run. Of main, as are the next." },
  tasksDone: { kind: "total", about: "Tasks that gave a result." },
  tasksFailed: { kind: "total", about: "Tasks that threw, or could not be run." },
  tasksCancelled: { kind: "total", about: "Tasks that nobody wanted any more." },
  tasksRefused: { kind: "total", about: "Tasks that found the queue full." },
  tasksTimedOut: { kind: "total", about: "Tasks that ran longer than they may." },
  tasksWaitedMs: { kind: "total", about: "Milliseconds that tasks waited for a thread." },
  tasksRanMs: { kind: "total", about: "Milliseconds that tasks held a thread." },
  uncaught: { kind: "total", about: "Exceptions outside any handler." },
  loopLagMs: { kind: "level", about: "How late this thread's event loop runs." },
  heapBytes: { kind: "gauge", about: "JavaScript heap in use." },
  overloadLevel: { kind: "level", about: "0 normal, 1 refuses joins, 2 is out of the deal." },
} as const satisfies Record<string, CounterRow>;

/** Name of a counter. */
export type CounterName = keyof typeof COUNTERS;

/** Names of all counters, in their order in a block. */
export const COUNTER_NAMES = Object.keys(COUNTERS) as CounterName[];

/** Index of each counter in its block. */
export const COUNTER = Object.freeze(
  Object.fromEntries(COUNTER_NAMES.map((name, index) => [name, index])) as Record<
    CounterName,
    number
  >,
);

const CACHE_LINE_PAIR_BYTES = 128;

/** Bytes of one member's block. */
export const COUNTERS_BYTES =
  Math.ceil((COUNTER_NAMES.length * 8) / CACHE_LINE_PAIR_BYTES) * CACHE_LINE_PAIR_BYTES;

/** Gives the bytes that the counters of so many members take. */
export function countersBytes(members: number): number {
  return members * COUNTERS_BYTES;
}
