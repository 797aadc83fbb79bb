/**
 * A connection without a network: frames go in and out by calls.
 *
 * Runs on: the thread of a test.
 */

import { Channel } from "../channel/channel.ts";
import { STATE } from "../channel/channel-state.ts";
import type { RoutedChannel } from "../channel/routed-channel.ts";
import { Socket } from "../socket/socket.ts";
import type { CustomConnection } from "../transport/custom/custom-connection.ts";

/** The other end of a connection. */
export interface SoloClient {
  /** Takes a frame of the server: text, or the bytes of a binary one, which are its own. */
  onFrame(frame: string | Uint8Array): void;
  /** Called when the server closes the connection. */
  onClose(code: number): void;
}

/** A channel of a connection, as it is inside. */
export interface SoloChannel {
  readonly assigns: object;
  /** True once nothing of it is left: its `terminate` has settled. */
  readonly hasEnded: boolean;
  /** Sends it a message for its `handleInfo`; a raw channel has none. */
  send(message: unknown): void;
}

/** A connection whose client is code in the same thread. */
export class SoloConnection {
  readonly #connection: CustomConnection;

  constructor(connection: CustomConnection) {
    this.#connection = connection;
  }

  /** False once either side has closed it. */
  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  /** The socket's id, or null. */
  get socketId(): string | null {
    return this.#connection.socket?.id ?? null;
  }

  /** What `connect` returned. */
  get assigns(): object {
    const { socket } = this.#connection;
    return socket instanceof Socket ? socket.assigns : {};
  }

  /** Takes a frame of the client. */
  receive(frame: string | Uint8Array): void {
    this.#connection.receive(frame);
  }

  /** Ends the connection of a client that is gone. */
  lose(code: number): void {
    this.#connection.closed(code);
  }

  /** Finds the channel of a join, settled or not. */
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
