/**
 * PORT: what a transport needs of the socket of a connection. A socket of channels is one
 * (`socket`), a raw one that leaves frames to the user's code another (`raw-socket`).
 *
 * Runs on: the shard that owns the connection.
 */

import type { Connection } from "../channel/connection.ts";
import type { ExitReason } from "../callbacks/results.ts";
import type { RoutedChannel } from "../channel/routed-channel.ts";
import type { SlowClientPolicy } from "./definition.ts";
import type { AnyIdentity } from "./connect.ts";

/** A control frame of a client, which is answered by the transport itself. */
export type ControlOpcode = "ping" | "pong";

/** A socket, as its transport knows it. */
export interface ServedSocket {
  readonly connection: Connection;
  /** Name by which it is disconnected, or null. */
  readonly id: string | null;
  /** Path of the mount. */
  readonly path: string;
  readonly slowClients: SlowClientPolicy;
  /** True from the end on; nothing more is taken then. */
  readonly isEnded: boolean;
  /** True where a message is handed over when the one before is done with, if the transport can. */
  readonly isSerial: boolean;
  /** True while something that was handed over is not done with. */
  readonly isHeldUp: boolean;
  /** Called once nothing is held up any more: for a transport that answers requests. */
  onIdle: (() => void) | undefined;

  /** True while broadcasts wait that the engine is to send to its client. */
  readonly hasHeldBroadcasts: boolean;

  /** Gives its channels, as they are now. */
  allChannels(): readonly RoutedChannel[];

  /** Is told that the connection is open: from now on what it sends arrives. */
  opened(): void;
  /** Takes a text frame. */
  receiveText(frame: string): void;
  /** Takes a binary frame. What of it is kept must be copied. */
  receiveBytes(frame: Uint8Array): void;
  /** Is told of a control frame. What of it is kept must be copied. */
  receiveControl(opcode: ControlOpcode, data: Uint8Array): void;

  /** Closes the connection with a code. */
  end(code: number, reason: ExitReason): void;
  /** Is told that the connection is gone. */
  closed(code: number, reason: ExitReason): void;
  /**
   * Is told that its client is too slow for what is published to it, and has it told.
   *
   * @returns how many channels it has ended
   */
  tooSlow(): number;
}

/** Makes the sockets of connections. */
export interface SocketOpener {
  /** Takes a connection that was accepted. */
  open(connection: Connection, identity: AnyIdentity): ServedSocket;
}
