/**
 * PORT: the part of a connection's socket that transports use. Implemented by `socket`, which has
 * channels, and by `raw-socket`, which passes frames to user code.
 *
 * Runs on: the shard that owns the connection.
 */

import type { ExitReason } from "../callbacks/results.ts";
import type { WaitingOwner } from "../callbacks/waiting-bytes.ts";
import type { Connection } from "../channel/connection.ts";
import type { RoutedChannel } from "../channel/routed-channel.ts";
import type { SlowClientPolicy } from "./definition.ts";
import type { ControlOpcode } from "./frame.ts";
import type { AnyIdentity } from "./identity.ts";

/** A socket, as seen by its transport. */
export interface ServedSocket extends WaitingOwner {
  readonly connection: Connection;
  /** Id by which the app can disconnect the connection, or null. */
  readonly id: string | null;
  /** Path of the mount. */
  readonly path: string;
  readonly slowClients: SlowClientPolicy;
  /** True once the socket has ended; from then on it ignores everything. */
  readonly isEnded: boolean;
  /** True if the transport should pass on a message only when the previous one is finished. */
  readonly isSerial: boolean;
  /** True while a message that was passed on is still being handled. */
  readonly isHeldUp: boolean;
  /** Called when the socket is no longer held up. Used by transports that answer requests. */
  onIdle: (() => void) | undefined;

  /** True if the client has joined a channel, or if the socket has no channels. */
  readonly hasJoined: boolean;
  /** True while broadcasts are held that the engine will publish to its client. */
  readonly hasHeldBroadcasts: boolean;

  /** Returns the current channels. */
  allChannels(): readonly RoutedChannel[];

  /** Reports whether the topic's channel has not finished what it received. */
  isHandling(topic: string): boolean;

  /** Called when the connection is open, and frames can be sent. */
  opened(): void;
  /** Handles a text frame. */
  receiveText(frame: string): void;
  /** Handles a binary frame, which is valid only during the call. */
  receiveBytes(frame: Uint8Array): void;
  /** Handles a control frame that the transport has answered. It is valid only during the call. */
  receiveControl(opcode: ControlOpcode, data: Uint8Array): void;

  /** Closes the connection with a code. */
  end(code: number, reason: ExitReason): void;
  /** Called when the connection is gone. */
  closed(code: number, reason: ExitReason): void;
  /**
   * Ends the channels whose published broadcasts the client reads too slowly.
   *
   * @returns the number of channels that ended
   */
  tooSlow(): number;
}

/** Opens sockets for connections. */
export interface SocketOpener {
  /** Returns the socket of a connection that was accepted. */
  open(connection: Connection, identity: AnyIdentity): ServedSocket;
}
