/**
 * Every event this package publishes through node:diagnostics_channel, in one table.
 *
 * Subscribe in the thread whose events you want (the app module, for those of shards; beside
 * `serve`, for those of main):
 * `diagnostics_channel.subscribe("simurgh:channel_joined", (event) => …)`.
 *
 * Runs on: any thread. Nothing is made for an event that nobody listens to.
 */

import { channel, type Channel } from "node:diagnostics_channel";

/** Each event: what it has and when it is published. */
export const EVENTS = {
  socket_connected:
    "durationMs, transport, params, connectInfo, vsn, result (ok, error): connect returned",
  socket_expired:
    "connection, id, transport, channels, lateMs: the time of a connection was over, and it is closed with 3000",
  socket_disconnected: "connection, id, code, channels: a connection ended",
  channel_joined: "durationMs, topic, params, result (ok, error): join returned",
  channel_handled_in: "durationMs, topic, event, ref, params: a handler of handleIn returned",
  channel_left: "topic, reason: a channel ended",
  channel_crashed: "topic, event, error: a callback threw, or a limit ended the channel",
  slow_client:
    "connection, bufferedBytes, cause (behind, skipped, full), policy (close, error), channels: a client read too slowly, and its connection was cut or its channels ended",
  broadcasts_missed:
    "topic, connection, count: a client took again what waited for a channel with slow, or the channel ended, and so many had been left out",
  rate_limited:
    "scope (socket, channel, event, id, address), counted (messages, bytes, joins, connects), connection, id, topic, event, retryAfterMs: something was refused, and unless it came without a ref its client was told",
  overload_begin: "level (refusing, withdrawn), lagMs, heapBytes: a shard rose to a level",
  overload_end: "level (refusing, withdrawn), lagMs, heapBytes: a shard fell from a level",
  lapped: "from, slots: records of another thread were lost",
  gap: "topics: broadcasts of another node were lost, and so many topics of this thread are concerned",
  stalled:
    "member, isStalled (true, false), forMs, queuedBytes: a thread takes none of the records that wait for it, or goes on",
  task_ended:
    "name, shard, waitMs, runMs, outcome (done, failed, cancelled, refused, timeout): a task has left the pool, which is told on main",
  presence_diff:
    "presence, topic, joins, leaves: so many came and went, and the subscribers of a shard were told",
  presence_fetch_failed:
    "presence, topic, error: fetch threw, gave something else or did not settle in time, and the diff went out as it was tracked",
  presence_replica:
    "presence, node, member, status (up, down, permdown): a shard is seen, is silent, or is gone with what it tracked",
  socket_drain:
    "transport, count, total, index, rounds: a shard closes a batch, where count and total are of its own connections by that transport, index and rounds of the whole node",
} as const;

/** Name of an event, without the prefix `simurgh:`. */
export type EventName = keyof typeof EVENTS;

/** Diagnostics channel of each event. */
export const telemetry = Object.fromEntries(
  Object.keys(EVENTS).map((name) => [name, channel(`simurgh:${name}`)]),
) as Readonly<Record<EventName, Channel>>;
