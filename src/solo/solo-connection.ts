/**
 * A connection without a network, which exchanges frames by method calls.
 *
 * Runs on: the thread of a test.
 */

import { Channel } from "../channel/channel.ts";
import { STATE } from "../channel/channel-state.ts";
import type { RoutedChannel } from "../channel/routed-channel.ts";
import { Socket } from "../socket/socket.ts";
import type { CustomConnection } from "../transport/custom/custom-connection.ts";

/** The client's end of a connection. */
export interface SoloClient {
  /** Called with each frame from the server: text, or bytes that the callee may keep. */
  onFrame(frame: string | Uint8Array): void;
  /** Called when the server closes the connection. */
  onClose(code: number): void;
}

/** The server's side of a channel. */
export interface SoloChannel {
  readonly assigns: object;
  /** Whether the channel has ended and its `terminate` has settled. */
  readonly hasEnded: boolean;
  /**
   * Sends a message to the channel's `handleInfo`. Ignored by a raw channel, which has no
   * `handleInfo`.
   */
  send(message: unknown): void;
}

/** The server's side of a connection whose client is code in the same thread. */
export class SoloConnection {
  readonly #connection: CustomConnection;

  constructor(connection: CustomConnection) {
    this.#connection = connection;
  }

  /** False once either side has closed the connection. */
  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  /** The socket's id, or null. */
  get socketId(): string | null {
    return this.#connection.socket?.id ?? null;
  }

  /** Assigns returned by `connect`. */
  get assigns(): object {
    const { socket } = this.#connection;
    return socket instanceof Socket ? socket.assigns : {};
  }

  /** Receives a frame from the client. */
  receive(frame: string | Uint8Array): void {
    this.#connection.receive(frame);
  }

  /** Ends the connection as if the client had closed it with the given close code. */
  lose(code: number): void {
    this.#connection.closed(code);
  }

  /** Returns the channel created by a join, even if the join is still pending. */
  channel(topic: string, joinRef: string): SoloChannel | undefined {
    const channels = this.#connection.socket?.allChannels() ?? [];
    const channel = channels.find((one) => one.topic === topic && one.sentJoinRef === joinRef);
    return channel && soloChannel(channel);
  }
}

function soloChannel(channel: RoutedChannel): SoloChannel {
  return {
    get assigns() {
      return channel.assigns;
    },
    get hasEnded() {
      return channel.state === STATE.closed;
    },
    send(message) {
      if (channel instanceof Channel) channel.send(message);
    },
  };
}
