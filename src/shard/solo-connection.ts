/**
 * A connection without a network: frames go in and out by calls.
 *
 * Runs on: the thread of a test.
 */

import { Channel } from "../channel/channel.ts";
import { STATE } from "../channel/channel-state.ts";
import type { Connection } from "../channel/connection.ts";
import type { RoutedChannel } from "../channel/routed-channel.ts";
import type { AnyIdentity } from "../socket/connect.ts";
import type { ServedSocket, SocketOpener } from "../socket/served-socket.ts";

/** The other end of a connection. */
export interface SoloClient {
  /** Takes a frame of the server: text, or the bytes of a binary one, which are its own. */
  onFrame(frame: string | Uint8Array): void;
  /** Is told that the server closed the connection. */
  onClose(code: number): void;
}

/** A channel of a connection, as it is inside. */
export interface SoloChannel {
  readonly assigns: object;
  /** True once nothing of it is left: its `terminate` has settled. */
  readonly hasEnded: boolean;
  /** Gives it a message for its `handleInfo`. */
  send(message: unknown): void;
}

/** A connection whose client is code in the same thread. */
export class SoloConnection implements Connection {
  readonly id: number;
  readonly transport = "test";
  readonly isNative = false;
  readonly isCompressed = false;
  readonly hasRoom = true;
  readonly #client: SoloClient;
  readonly #socket: ServedSocket;
  /** What `connect` gave. */
  readonly assigns: object;
  isOpen = true;

  constructor(id: number, identity: AnyIdentity, sockets: SocketOpener, client: SoloClient) {
    this.id = id;
    this.assigns = "assigns" in identity ? identity.assigns : {};
    this.#client = client;
    this.#socket = sockets.open(this, identity);
  }

  /** The socket's id, or null. */
  get socketId(): string | null {
    return this.#socket.id;
  }

  /** Takes a frame of the client. */
  receive(frame: string | Uint8Array): void {
    if (!this.isOpen) return;
    if (typeof frame === "string") this.#socket.receiveText(frame);
    else this.#socket.receiveBytes(frame);
  }

  /** Is told that the client is gone. */
  lose(code: number): void {
    this.isOpen = false;
    this.#socket.closed(code, { shutdown: "closed" });
  }

  /** Closes as a server does that ends. */
  drain(code: number): void {
    this.#socket.end(code, { shutdown: "draining" });
  }

  /** Finds the channel of a join, settled or not. */
  channel(topic: string, joinRef: string): SoloChannel | undefined {
    const channel = this.#socket.allChannels().find((one) => one.topic === topic);
    return channel?.joinRef === joinRef ? soloChannel(channel) : undefined;
  }

  send(frame: string | Uint8Array, isBinary: boolean): void {
    if (!this.isOpen) return;
    if (typeof frame === "string") this.#client.onFrame(frame);
    else if (isBinary) this.#client.onFrame(new Uint8Array(frame));
    else this.#client.onFrame(Buffer.from(frame).toString("utf8"));
  }

  ping(): void {}

  // Not native, and never without room: nobody calls these, and frames come one by one.
  subscribe(): void {}
  unsubscribe(): void {}
  publish(): void {}
  awaitRoom(): void {}

  cork(work: () => void): void {
    work();
  }

  close(code: number): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#client.onClose(code);
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
    send: (message) => {
      if (channel instanceof Channel) channel.send(message);
    },
  };
}
