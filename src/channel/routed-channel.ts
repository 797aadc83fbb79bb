/**
 * PORT: what a socket needs from its channels, and what they need from it. The classes of `channel`
 * and `raw-channel` implement the first part, the socket implements the second.
 *
 * Runs on: the shard that owns the connection.
 */

import type { Until } from "../callbacks/expiry.ts";
import type { ExitReason } from "../callbacks/results.ts";
import type { Buckets } from "../limits/own-limits.ts";
import type { Message, Ref } from "../protocol/message.ts";
import type { Serializer } from "../protocol/serializer.ts";
import type { ChannelState } from "./channel-state.ts";
import type { Connection } from "./connection.ts";
import type { ChannelLimiter } from "./limits.ts";

/** A channel, as its socket knows it. */
export interface RoutedChannel {
  readonly topic: string;
  /** The join's join_ref, or its ref if the client sent no join_ref. */
  readonly joinRef: Ref;
  /** join_ref of the join as sent, or null. Messages are compared with it, and the end contains it. */
  readonly sentJoinRef: Ref;
  readonly assigns: object;
  readonly state: ChannelState;
  /** True once the client has asked to leave. */
  readonly isLeaving: boolean;
  /** True if the engine publishes broadcasts of its topic to the client. */
  readonly isPublished: boolean;
  /** True while such broadcasts are held until the end of a window. */
  readonly isHeld: boolean;
  /** Set while the join is not answered. Written by the socket. */
  pending: PendingJoin | undefined;
  /** Undefined if it has no rate limits. */
  readonly limiter: ChannelLimiter | undefined;
  /** State of its rate limits. Absent until one applies. */
  buckets?: Buckets;

  /** Runs the join and answers it, now or later. Called once. */
  join(ref: Ref, payload: unknown): void;
  /**
   * Handles a message of the client.
   *
   * @param frame - the text frame that it came in; undefined for a binary frame
   */
  receiveIn(message: Message, frame: string | undefined): void;
  /** Handles the client's leave. */
  leave(message: Message): void;
  /** Handles now what waits for it, unless one of its callbacks is running. */
  flush(): void;
  /** Called before its connection is closed because the shard closes. */
  drain(): void;
  /** Called when its connection is about to expire. */
  expiring(leftMs: number): void;
  /** Ends it because its connection ends. Waiting messages are handled first. */
  connectionEnded(reason: ExitReason): void;
  /** Ends it at once, and sends nothing: a rejoin replaces it. */
  kill(): void;
  /** Ends it because its client is too slow for the broadcasts that are published to it. */
  tooSlow(): void;
}

/** A message that waits behind a join. */
export interface WaitingMessage {
  readonly message: Message;
  /** The text frame that it came in, if a channel may need it. */
  readonly frame: string | undefined;
}

/** State of a join that has not been answered. */
export interface PendingJoin {
  /** Messages for the topic that have arrived since. */
  readonly backlog: WaitingMessage[];
  /** The channel that this one replaces. */
  readonly replaced: { readonly joinRef: Ref } | undefined;
}

/** A join, from which a channel is made. */
export interface NewChannel {
  readonly owner: ChannelOwner;
  readonly topic: string;
  readonly assigns: object;
  readonly joinRef: Ref;
  /** Ref of the join; it replaces a join_ref that the client did not send. */
  readonly ref: Ref;
}

/** A socket, as its channels know it. */
export interface ChannelOwner {
  readonly connection: Connection;
  readonly serializer: Serializer;
  readonly id: string | null;
  /** True if messages wait until the whole burst of frames has been read, as in Phoenix. */
  readonly isSerial: boolean;
  /** When the connection expires (ms since 1970); undefined: never. */
  readonly expiresAtMs: number | undefined;
  /** Moves the expiry and replaces the assigns, unless these belong to another `id`. */
  renew(assigns: unknown, until: Until): boolean;
  /** Called when a channel has left its topic, which is free again. */
  channelGone(channel: RoutedChannel): void;
  /** Called when a join was answered. */
  joinSettled(channel: RoutedChannel): void;
  /** Closes the connection: a user's serializer could not write what its client must be told. */
  failed(error: unknown): void;
}
