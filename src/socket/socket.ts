/**
 * One connection's socket: who it is, and the channels that it has joined.
 *
 * Runs on: the shard that owns the connection.
 */

import type { Channel, ChannelOwner } from "../channel/channel.ts";
import type { Connection } from "../channel/connection.ts";
import { EVENT } from "../protocol/reserved.ts";
import type { Serializer } from "../protocol/serializer.ts";
import { ChannelTable } from "./channel-table.ts";
import type { SocketMount } from "./mount.ts";

/**
 * Who a connection turned out to be, before it is one.
 *
 * Parameters and connect info are not kept: what is wanted of them, `connect` puts into assigns.
 */
export interface Identity {
  readonly mount: SocketMount;
  readonly serializer: Serializer;
  readonly assigns: object;
  readonly id: string | null;
}

/** What a socket tells those who serve it. */
export interface SocketEvents {
  joinSettled(socket: Socket, channel: Channel): void;
  disconnect(socket: Socket): void;
}

/** The socket of a connection. */
export class Socket implements ChannelOwner {
  readonly connection: Connection;
  readonly identity: Identity;
  readonly channels = new ChannelTable();
  readonly #events: SocketEvents;
  /** On a serial socket, the channel whose join holds up everything. */
  joining: Channel | undefined = undefined;
  /** Called once nothing is held up any more: for a transport that answers requests. */
  onIdle: (() => void) | undefined = undefined;
  isEnded = false;

  constructor(connection: Connection, identity: Identity, events: SocketEvents) {
    this.connection = connection;
    this.identity = identity;
    this.#events = events;
  }

  get serializer(): Serializer {
    return this.identity.serializer;
  }

  get id(): string | null {
    return this.identity.id;
  }

  get isSerial(): boolean {
    return this.identity.mount.definition.isSerial;
  }

  channelGone(channel: Channel): void {
    this.channels.remove(channel);
  }

  joinSettled(channel: Channel): void {
    this.#events.joinSettled(this, channel);
  }

  /** Takes a broadcast of its id topic; only one event means anything there (WIRE §4.3). */
  receive({ event }: { readonly event: string }): void {
    if (event === EVENT.disconnect) this.#events.disconnect(this);
  }

  /** Broadcasts of its id topic were lost. One may have been a ban: it must connect anew. */
  missed(): void {
    this.#events.disconnect(this);
  }
}
