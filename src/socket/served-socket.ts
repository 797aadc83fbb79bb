/**
 * PORT: what a transport needs from a connection's socket. Implemented by `socket`, which has channels,
 * and by `raw-socket`, which leaves frames to user code.
 *
 * Runs on: the shard that owns the connection.
 */

import type { ExitReason } from "../callbacks/results.ts";
import type { Connection } from "../channel/connection.ts";
import type { RoutedChannel } from "../channel/routed-channel.ts";
import type { SlowClientPolicy } from "./definition.ts";
import type { ControlOpcode } from "./frame.ts";
import type { AnyIdentity } from "./identity.ts";

/** A socket, as its transport knows it. */
export interface ServedSocket {
  readonly connection: Connection;
  /** Name by which the app disconnects it, or null. */
  readonly id: string | null;
  /** Path of the mount. */
  readonly path: string;
  readonly slowClients: SlowClientPolicy;
  /** True once it has ended; it ignores everything from then on. */
  readonly isEnded: boolean;
  /** True if the transport should pass on a message only when the previous one is finished. */
  readonly isSerial: boolean;
  /** True while a message that was passed on is not finished. */
  readonly isHeldUp: boolean;
  /** Called when nothing is held up any more: for a transport that answers requests. */
  onIdle: (() => void) | undefined;

  /** True while broadcasts are held that the engine will publish to its client. */
  readonly hasHeldBroadcasts: boolean;

  /** Returns a copy of the list of its channels. */
  allChannels(): readonly RoutedChannel[];

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
   * Ends the channels whose published broadcasts its client reads too slowly.
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
