/**
 * All events that this package publishes through node:diagnostics_channel, as a table.
 *
 * Subscribe on the thread on which the events occur: in the app module for events of shards, and
 * next to `serve` for events of the main thread:
 * `diagnostics_channel.subscribe("simurgh:channel_joined", (event) => …)`.
 *
 * Runs on: any thread. Without subscribers, no event object is created.
 */

import { channel, type Channel } from "node:diagnostics_channel";

/** The fields of each event, and when the event is published. */
export const EVENTS = {
  socket_connected:
    "durationMs, transport, params, connectInfo, vsn, result (ok, error): connect returned",
  socket_expired:
    "connection, id, transport, channels, lateMs: a connection expired and is closed with 3000",
  socket_disconnected: "connection, id, code, channels: a connection ended",
  channel_joined: "durationMs, topic, params, result (ok, error): join returned",
  channel_handled_in: "durationMs, topic, event, ref, params: a handler of handleIn returned",
  channel_left: "topic, reason: a channel ended",
  channel_crashed: "topic, event, error: a callback threw, or a limit ended the channel",
  slow_client:
    "connection, bufferedBytes, cause (behind, skipped, full), policy (close, error), channels: a client read too slowly, and its connection was cut or its channels ended",
  buffers_shed:
    "owners, bytes, totalBytes: the node held more than maxBufferBytes (totalBytes), and this thread closed connections, ended requests or dropped queues (owners) that held bytes",
  broadcasts_missed:
    "topic, connection, count: a client of a channel with slow caught up, or the channel ended, after count broadcasts had been left out",
  rate_limited:
    "scope (socket, channel, event, id, address), counted (messages, bytes, joins, connects), connection, id, topic, event, retryAfterMs: a message, join or connect was refused; the client was answered with an error, unless the message had no ref",
  overload_begin:
    "level (refusing, withdrawn), lagMs, heapBytes, externalBytes, residentBytes: a shard reached an overload level",
  overload_end:
    "level (refusing, withdrawn), lagMs, heapBytes, externalBytes, residentBytes: a shard left an overload level",
  slow_callback:
    "topic, event, durationMs: a callback of a channel or raw socket held the event loop for slowCallbackMs or longer",
  shard_stuck:
    "shard, isStuck (true, false), forMs, topic, event, stack: a shard's event loop has been blocked for stallMs, or turns again (published on main; without stack if the code cannot be interrupted)",
  server_failed: "error: no shard serves any more (published on main)",
  history_joined:
    "topic, connection, recovered (true, false), count, durationMs: a join with a history was answered; count messages follow",
  lapped: "from, slots: records from another thread were lost",
  gap: "topics: broadcasts from another node were lost; topics is the number affected in this thread",
  stalled:
    "member, isStalled (true, false), forMs, queuedBytes: a thread stopped reading the records waiting for it, or recovered",
  task_ended:
    "name, shard, waitMs, runMs, outcome (done, failed, cancelled, refused, timeout): a task left the pool (published on main)",
  presence_diff:
    "presence, topic, joins, leaves: a diff was sent to a shard's subscribers; joins and leaves are counts",
  presence_fetch_failed:
    "presence, topic, error: fetch threw, returned an invalid result or did not settle in time; the diff was sent with the tracked metas only",
  presence_replica:
    "presence, node, member, status (up, down, permdown): a shard's presences appeared, were hidden or were forgotten",
  socket_drain:
    "transport, count, total, index, rounds: a shard closes a batch; count and total are its own connections of that transport, index and rounds apply to the whole node",
} as const;

/** Name of an event, without the prefix `simurgh:`. */
export type EventName = keyof typeof EVENTS;

/**
 * The diagnostics channel for each event.
 *
 * @internal so that the published types need none of Node.js's
 */
export const telemetry = Object.fromEntries(
  Object.keys(EVENTS).map((name) => [name, channel(`simurgh:${name}`)]),
) as Readonly<Record<EventName, Channel>>;
