/**
 * Names, reasons and close codes that the protocol reserves.
 *
 * Runs on: any thread. Constants only.
 */

/** Topic of the connection itself. */
export const PHOENIX_TOPIC = "phoenix";

/** Event names that the protocol gives a meaning (WIRE §1.6). */
export const EVENT = {
  heartbeat: "heartbeat",
  join: "phx_join",
  leave: "phx_leave",
  reply: "phx_reply",
  close: "phx_close",
  error: "phx_error",
  disconnect: "disconnect",
} as const;

/** Status of a reply that the clients know; any other string may be used too. */
export const STATUS = { ok: "ok", error: "error" } as const;

/** Reasons in replies and errors: Phoenix's strings, then our own. */
export const REASON = {
  unmatchedTopic: "unmatched topic",
  joinCrashed: "join crashed",
  tooManyChannels: "too many channels joined",
  channelCrash: "channel_crash",
  joinTimeout: "join timeout",
  handlerTimeout: "handler timeout",
  mailboxFull: "mailbox full",
  missed: "missed broadcasts",
  slowClient: "client too slow",
  overloaded: "overloaded",
} as const;

/**
 * Close codes. After all of them a client comes back (WIRE §8.9); none is 1000, after which
 * clients up to 1.8.12 do not.
 */
export const CLOSE = {
  /** Disconnected by its id. */
  goingAway: 1001,
  /** Nothing was received for the idle timeout. */
  idle: 1002,
  /** A message was too large. */
  tooLarge: 1009,
  /** A frame could not be decoded, or the connection met a bug. */
  internalError: 1011,
  /** The server, or its shard, is closing. */
  restart: 1012,
} as const;
