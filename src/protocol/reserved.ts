/**
 * Names, reasons and close codes that the protocol reserves.
 *
 * Runs on: any thread. Constants only.
 */

/** Topic of the connection itself. */
export const PHOENIX_TOPIC = "phoenix";

/** What topics begin with that are the server's own: nobody may join them, or broadcast there. */
const OWN_TOPICS = "phx_presence:";

/** True for a topic that is the server's own. */
export function isOwnTopic(topic: string): boolean {
  return topic.startsWith(OWN_TOPICS);
}

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
  expired: "expired",
} as const;

/**
 * Close codes. After all of them a client comes back (WIRE §8.9); none is 1000, after which
 * clients up to 1.8.12 do not.
 */
export const CLOSE = {
  goingAway: 1001,
  idle: 1002,
  tooLarge: 1009,
  internalError: 1011,
  restart: 1012,
  /** "Unauthorized" in IANA's registry of close codes. */
  expired: 3000,
} as const;

/** What a connection ends with that no close frame was seen of (RFC 6455 §7.1.5). Never sent. */
export const NO_CLOSE_FRAME = 1006;

/** When each code is sent. The reference's table is made from this. */
export const CLOSE_WHEN: Readonly<Record<keyof typeof CLOSE, string>> = {
  goingAway: "The connection was disconnected by its socket's id.",
  idle: "Nothing was received for the idle timeout.",
  tooLarge: "A message was larger than `maxFrameBytes`.",
  internalError:
    "A frame could not be decoded, too much waited behind a join, or a raw socket failed.",
  restart: "The node, or the shard that served the connection, drains.",
  expired: "The time that the connection's token gave it was over, and it was not renewed.",
};

/** After how many seconds a client that was turned away with 503 may come again (Retry-After). */
export const RETRY_AFTER_S = "5";
