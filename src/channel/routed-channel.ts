/**
 * PORT: what messages of a topic are routed to. An ordinary channel is one (`channel`), a raw one,
 * which does everything itself, another (`raw-channel`).
 *
 * Runs on: the shard that owns the connection.
 */

import type { Buckets } from "../limits/own-limits.ts";
import type { Message, Ref } from "../protocol/message.ts";
import type { ChannelState } from "./channel-state.ts";
import type { Connection } from "./connection.ts";
import type { ChannelLimiter } from "./limits.ts";
import type { Until } from "../callbacks/expiry.ts";
import type { Serializer } from "../protocol/serializer.ts";
import type { ExitReason } from "../callbacks/results.ts";

/** A channel, as the server of its socket knows it. */
export interface RoutedChannel {
  readonly topic: string;
  /** The client's name for the join. */
  readonly joinRef: Ref;
  /** join_ref as it came with the join, or null: what messages are held against, and what the end names. */
  readonly sentJoinRef: Ref;
  readonly assigns: object;
  readonly state: ChannelState;
  /** True from the client's leave on. */
  readonly isLeaving: boolean;
  /** True where broadcasts of its topic go from the engine to the client. */
  readonly isPublished: boolean;
  /** True while broadcasts of its topic wait that go to the client in this way. */
  readonly isHeld: boolean;
  /** While the join is not answered: what came for the topic, and whose place this one takes. */
  pending: PendingJoin | undefined;
  readonly runtime: ChannelRunner;
  /** Undefined: it has no rate limits. */
  readonly limiter: ChannelLimiter | undefined;
  /** What these keep, once they have concerned it. */
  buckets?: Buckets;
}

/** A message that waits behind a join. */
export interface WaitingMessage {
  readonly message: Message;
  /** The text frame that it came in, where a channel may want it. */
  readonly frame: string | undefined;
}

/** What is kept while a join is not answered. */
export interface PendingJoin {
  readonly backlog: WaitingMessage[];
  /** join_ref of the channel that this one replaces. */
  readonly replaced: { readonly joinRef: Ref } | undefined;
}

/** What runs channels of one kind. */
export interface ChannelRunner {
  /** Runs the join of a new channel. */
  join(channel: RoutedChannel, ref: Ref, payload: unknown): void;
  /**
   * Takes a client's message for the channel.
   *
   * @param frame - the text frame that it came in; undefined for bytes
   */
  receiveIn(channel: RoutedChannel, message: Message, frame: string | undefined): void;
  /** Takes a client's leave. */
  leave(channel: RoutedChannel, message: Message): void;
  /** Handles now what waits for a channel, as far as it is free to. */
  flush(channel: RoutedChannel): void;
  /** Tells a channel that its connection is about to be closed, as the shard closes. */
  drain(channel: RoutedChannel): void;
  /** Tells a channel that its connection has so much time left (ms). */
  expiring(channel: RoutedChannel, leftMs: number): void;
  /** Ends a channel whose connection ends, after what waits for it already. */
  close(channel: RoutedChannel, reason: ExitReason): void;
  /** Ends a channel at once and without a word: a rejoin replaces it. */
  kill(channel: RoutedChannel): void;
  /** Ends a channel whose client takes too little of what is published to it. */
  tooSlow(channel: RoutedChannel): void;
}

/** The connection's socket, as its channels need it. */
export interface ChannelOwner {
  readonly connection: Connection;
  readonly serializer: Serializer;
  readonly id: string | null;
  /** True where messages wait until the whole burst of frames was read (Phoenix's way). */
  readonly isSerial: boolean;
  /** Until when the connection may last (ms since 1970); undefined: for ever. */
  readonly expiresAtMs: number | undefined;
  /** Moves that, and replaces what later channels get; false where these are another's assigns. */
  renew(assigns: unknown, until: Until): boolean;
  /** The topic is free again. */
  channelGone(channel: RoutedChannel): void;
  /** The join was answered, one way or the other. */
  joinSettled(channel: RoutedChannel): void;
  /** What its channels' clients must be told cannot be written, by a serializer of the user's. */
  failed(error: unknown): void;
}
