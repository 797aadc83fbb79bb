/**
 * Topics, events, reasons and close codes of the protocol.
 *
 * Runs on: any thread. Constants only.
 */

/** Topic of the connection itself. */
export const PHOENIX_TOPIC = "phoenix";

/** Prefix of topics that only the server uses. Clients and apps cannot use them. */
const OWN_TOPICS = "phx_presence:";

/** Reports whether a topic is reserved for the server. */
export function isOwnTopic(topic: string): boolean {
  return topic.startsWith(OWN_TOPICS);
}

/** Events that have a meaning in the protocol. */
export const EVENT = {
  heartbeat: "heartbeat",
  join: "phx_join",
  leave: "phx_leave",
  reply: "phx_reply",
  close: "phx_close",
  error: "phx_error",
  disconnect: "disconnect",
  /** Tells a channel that asked for a history the offset of a message that cannot carry it. */
  history: "history",
} as const;

const PROTOCOL_EVENTS = "phx_";

/** Reports whether clients handle an event themselves, instead of passing it to the app. */
export function isProtocolEvent(event: string): boolean {
  return event.startsWith(PROTOCOL_EVENTS);
}

/** Reply statuses that clients recognize. Any other string is allowed too. */
export const STATUS = { ok: "ok", error: "error" } as const;

/** Reasons in replies and errors. Those of Phoenix come first, then those of this package. */
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
  rateLimited: "rate_limited",
  expired: "expired",
  topicTooLong: "topic too long",
  eventTooLong: "event too long",
  invalidHistory: "invalid history",
} as const;

/**
 * WebSocket close codes. Clients reconnect after each of them. 1000 is not used, because clients up
 * to 1.8.12 do not reconnect after it.
 */
export const CLOSE = {
  goingAway: 1001,
  idle: 1002,
  policyViolation: 1008,
  tooLarge: 1009,
  internalError: 1011,
  restart: 1012,
  /** "Unauthorized" in the IANA registry of close codes. */
  expired: 3000,
} as const;

/** Code of a connection that ended without a close frame (RFC 6455 §7.1.5). It is never sent. */
export const NO_CLOSE_FRAME = 1006;

/** When each close code is sent. The table in the reference is generated from this. */
export const CLOSE_WHEN: Readonly<Record<keyof typeof CLOSE, string>> = {
  goingAway: "The app disconnected the connection by its socket id.",
  idle: "Nothing was received within the idle timeout.",
  policyViolation:
    "A client stayed far above its rate limits, and `limits.flood` is `close`. It sent more while a join or handler was busy than `maxWaitingBytes` allows, or the node held too much for it (`maxBufferBytes`). It joined no channel within `unjoinedTimeoutMs`, while there were more such connections than `maxUnjoinedConnections`.",
  tooLarge:
    "A message was larger than `maxFrameBytes`, or than `maxUnjoinedFrameBytes` before the first join.",
  internalError:
    "A frame could not be decoded or exceeded `maxJsonDepth`, more messages waited behind a join than `maxMailbox`, or a raw socket failed.",
  restart: "The node or the connection's shard drains.",
  expired: "The connection's token expired and was not renewed.",
};

/** Value of `Retry-After` in a 503 response (seconds). */
export const RETRY_AFTER_S = "5";
