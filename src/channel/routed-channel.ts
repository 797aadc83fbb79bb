/**
 * PORT: the interface between a socket and its channels. The classes in `channel` and `raw-channel`
 * implement the channel's part, the socket implements the other.
 *
 * Runs on: the shard that owns the connection.
 */

import type { Until } from "../callbacks/expiry.ts";
import type { ExitReason } from "../callbacks/results.ts";
import type { WaitingOwner } from "../callbacks/waiting-bytes.ts";
import type { Buckets } from "../limits/own-limits.ts";
import type { Message, Ref } from "../protocol/message.ts";
import type { Serializer } from "../protocol/serializer.ts";
import type { ChannelState } from "./channel-state.ts";
import type { Connection } from "./connection.ts";
import type { ChannelLimiter } from "./limits.ts";

/** A channel as seen by its socket. */
export interface RoutedChannel {
  readonly topic: string;
  /** The join's join_ref, or the join's ref if the client sent no join_ref. */
  readonly joinRef: Ref;
  /**
   * The join_ref as sent by the client, or null. Messages are compared with it, and the frame that
   * ends the channel contains it.
   */
  readonly sentJoinRef: Ref;
  readonly assigns: object;
  readonly state: ChannelState;
  /** True while its join, a callback or a message that waits is not finished. */
  readonly isHandling: boolean;
  /** True once the client has asked to leave. */
  readonly isLeaving: boolean;
  /** True if the engine publishes broadcasts to the channel's topic to the client. */
  readonly isPublished: boolean;
  /** True while such broadcasts are held until the end of a window. */
  readonly isHeld: boolean;
  /** Set until the join is answered. Written by the socket. */
  pending: PendingJoin | undefined;
  /** Undefined if the channel has no rate limits. */
  readonly limiter: ChannelLimiter | undefined;
  /** State of the rate limits. Absent until a limit applies. */
  buckets?: Buckets;

  /** Runs the join and answers it, immediately or later. Called once. */
  join(ref: Ref, payload: unknown): void;
  /**
   * Handles a message from the client.
   *
   * @param frame - the text frame that contained the message; undefined for a binary frame
   */
  receiveIn(message: Message, frame: string | undefined, bytes: number): void;
  /** Handles the client's leave. */
  leave(message: Message): void;
  /** Handles all waiting messages now, unless one of the channel's callbacks is running. */
  flush(): void;
  /** Drops what waits for it: its connection is about to be closed because of it. */
  dropWaiting(): void;
  /** Called before its connection is closed because the shard closes. */
  drain(): void;
  /** Called when the connection is about to expire. */
  expiring(leftMs: number): void;
  /** Ends the channel because its connection has ended. Waiting messages are handled first. */
  connectionEnded(reason: ExitReason): void;
  /** Ends the channel immediately without sending anything, because a rejoin replaces it. */
  kill(): void;
  /** Ends the channel because its client is too slow for the published broadcasts. */
  tooSlow(): void;
}

/** A message that waits until a join is answered. */
export interface WaitingMessage {
  readonly message: Message;
  /** The text frame that contained the message, if a channel may need it. */
  readonly frame: string | undefined;
  /** Length of the frame. */
  readonly bytes: number;
}

/** State of a join that has not been answered. */
export interface PendingJoin {
  /** Messages for the topic that have arrived since the join. */
  readonly backlog: WaitingMessage[];
  /** The channel that this one replaces. */
  readonly replaced: { readonly joinRef: Ref } | undefined;
}

/** A join for which a channel is created. */
export interface NewChannel {
  readonly owner: ChannelOwner;
  readonly topic: string;
  readonly assigns: object;
  readonly joinRef: Ref;
  /** Ref of the join, used as the join_ref if the client did not send one. */
  readonly ref: Ref;
}

/** A socket, as its channels know it. */
export interface ChannelOwner extends WaitingOwner {
  readonly connection: Connection;
  readonly serializer: Serializer;
  readonly id: string | null;
  /** True if messages wait until the whole burst of frames has been read, as in Phoenix. */
  readonly isSerial: boolean;
  /** Time when the connection expires (ms since 1970), or undefined if it never does. */
  readonly expiresAtMs: number | undefined;
  /**
   * Changes the expiry time and replaces the assigns, unless the new assigns belong to another
   * `id`.
   */
  renew(assigns: unknown, until: Until): boolean;
  /** Returns the current channels of the connection. */
  allChannels(): readonly RoutedChannel[];
  /** Called when a channel has left its topic, which can then be joined again. */
  channelGone(channel: RoutedChannel): void;
  /** Called when a join has been answered. */
  joinSettled(channel: RoutedChannel): void;
  /**
   * Closes the connection because a custom serializer could not encode a frame that the client must
   * receive.
   */
  failed(error: unknown): void;
}
