/**
 * One connection's socket: who it is, and the channels that it has joined.
 *
 * Runs on: the shard that owns the connection.
 */

import type { Connection } from "../channel/connection.ts";
import type { Until } from "../callbacks/expiry.ts";
import type { ExitReason } from "../callbacks/results.ts";
import type { ChannelOwner, RoutedChannel } from "../channel/routed-channel.ts";
import { EVENT } from "../protocol/reserved.ts";
import type { Serializer } from "../protocol/serializer.ts";
import {
  listChannels,
  NO_CHANNELS,
  someChannel,
  withoutChannel,
  type ChannelTable,
} from "./channel-table.ts";
import type { SlowClientPolicy } from "./definition.ts";
import type { Mortal } from "./expiry-book.ts";
import type { SocketMount } from "./mount.ts";
import type { SocketBuckets } from "./socket-buckets.ts";
import type { ControlOpcode, ServedSocket } from "./served-socket.ts";

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
  /** By which it is limited, where its mount limits addresses. */
  readonly address: string | null;
  /** Until when it may last; left out: for ever. */
  readonly expiresAtMs?: number;
}

/** What a socket tells those who serve it. */
export interface SocketEvents {
  receive(socket: Socket, frame: string | Uint8Array): void;
  receiveControl(socket: Socket, opcode: ControlOpcode, data: Uint8Array): void;
  end(socket: Socket, code: number, reason: ExitReason): void;
  closed(socket: Socket, code: number, reason: ExitReason): void;
  tooSlow(socket: Socket): number;
  joinSettled(socket: Socket, channel: RoutedChannel): void;
  failed(socket: Socket, error: unknown): void;
  expiryOf(socket: Socket): number | undefined;
  renew(socket: Socket, assigns: unknown, until: Until): boolean;
  expiring(socket: Socket, leftMs: number): void;
  expired(socket: Socket, lateMs: number): void;
  disconnect(socket: Socket): void;
}

/** The socket of a connection. */
export class Socket implements ChannelOwner, ServedSocket, Mortal {
  readonly connection: Connection;
  readonly mount: SocketMount;
  readonly serializer: Serializer;
  /** What `connect` gave, or the last renewal. */
  assigns: object;
  readonly id: string | null;
  channels: ChannelTable = NO_CHANNELS;
  readonly #events: SocketEvents;
  /** On a serial socket, the channel whose join holds up everything. */
  joining: RoutedChannel | undefined = undefined;
  onIdle: (() => void) | undefined = undefined;
  isEnded = false;
  /** What rate limits keep. Before they concern it there is not even the field. */
  declare buckets?: SocketBuckets;

  constructor(connection: Connection, identity: Identity, events: SocketEvents) {
    this.connection = connection;
    // Not the identity itself: it would be one more object for each connection.
    this.mount = identity.mount;
    this.serializer = identity.serializer;
    this.assigns = identity.assigns;
    this.id = identity.id;
    this.#events = events;
  }

  get path(): string {
    return this.mount.path;
  }

  get slowClients(): SlowClientPolicy {
    return this.mount.definition.slowClients;
  }

  get isSerial(): boolean {
    return this.mount.definition.isSerial;
  }

  get isHeldUp(): boolean {
    return this.joining !== undefined;
  }

  get hasHeldBroadcasts(): boolean {
    return someChannel(this.channels, isHeld);
  }

  allChannels(): readonly RoutedChannel[] {
    return listChannels(this.channels);
  }

  channelGone(channel: RoutedChannel): void {
    this.channels = withoutChannel(this.channels, channel);
  }

  joinSettled(channel: RoutedChannel): void {
    this.#events.joinSettled(this, channel);
  }

  get expiresAtMs(): number | undefined {
    return this.#events.expiryOf(this);
  }

  renew(assigns: unknown, until: Until): boolean {
    return this.#events.renew(this, assigns, until);
  }

  get expiringMs(): number {
    return this.mount.definition.expiringMs;
  }

  expiring(leftMs: number): void {
    this.#events.expiring(this, leftMs);
  }

  expired(lateMs: number): void {
    this.#events.expired(this, lateMs);
  }

  failed(error: unknown): void {
    this.#events.failed(this, error);
  }

  /** Nothing is sent before the client has asked for something. */
  opened(): void {}

  receiveText(frame: string): void {
    this.#events.receive(this, frame);
  }

  receiveBytes(frame: Uint8Array): void {
    this.#events.receive(this, frame);
  }

  receiveControl(opcode: ControlOpcode, data: Uint8Array): void {
    this.#events.receiveControl(this, opcode, data);
  }

  end(code: number, reason: ExitReason): void {
    this.#events.end(this, code, reason);
  }

  closed(code: number, reason: ExitReason): void {
    this.#events.closed(this, code, reason);
  }

  tooSlow(): number {
    return this.#events.tooSlow(this);
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

function isHeld(channel: RoutedChannel): boolean {
  return channel.isHeld;
}
