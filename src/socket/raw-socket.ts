/**
 * One connection's raw socket: as the user's callbacks see it, and as its transport does.
 *
 * What it does is the affair of its server (raw-socket-server); here is what it is. Fields below
 * the line are the server's: they are no part of RawSocket, and callbacks never see them.
 *
 * Runs on: the shard that owns the connection.
 * Owns: nothing before it is used: mailbox, timers and topics are made on demand.
 */

import type { Callee } from "../callbacks/calls.ts";
import { callLater, type TimerOwner } from "../callbacks/timers.ts";
import type { Connection } from "../channel/connection.ts";
import type { ShardContext } from "../channel/context.ts";
import type { Mailbox } from "../callbacks/mailbox.ts";
import type { Until } from "../callbacks/expiry.ts";
import type { ExitReason } from "../callbacks/results.ts";
import type { RoutedChannel } from "../channel/routed-channel.ts";
import { CLOSE, EVENT } from "../protocol/reserved.ts";
import type { SlowClientPolicy } from "./definition.ts";
import type { Mortal } from "./expiry-book.ts";
import { sendFrame, type ControlFrame, type DataFrame, type OutgoingFrame } from "./frame.ts";
import type { RawSocketMount } from "./mount.ts";
import type { RawSocket } from "./raw-definition.ts";
import type { ControlOpcode, ServedSocket } from "./served-socket.ts";

/** Who a connection of a raw socket turned out to be, before it is one. */
export interface RawIdentity {
  readonly mount: RawSocketMount;
  readonly state: unknown;
  readonly id: string | null;
  /** Until when it may last; left out: for ever. */
  readonly expiresAtMs?: number;
}

/** What may wait for a raw socket. */
export type RawLetter =
  | { readonly kind: "init" }
  | { readonly kind: "in"; readonly frame: DataFrame }
  | { readonly kind: "control"; readonly frame: ControlFrame }
  | { readonly kind: "info"; readonly message: unknown }
  | { readonly kind: "missed"; readonly topic: string }
  | { readonly kind: "expiring"; readonly leftMs: number }
  | { readonly kind: "close"; readonly reason: ExitReason };

/** What a raw socket asks of its server. */
export interface RawSocketRuntime {
  readonly shard: number;
  readonly context: ShardContext;
  receive(socket: RawSocketEnd, letter: RawLetter): void;
  end(socket: RawSocketEnd, code: number, reason: ExitReason): void;
  closed(socket: RawSocketEnd, code: number, reason: ExitReason): void;
  listen(socket: RawSocketEnd, topic: string): void;
  unlisten(socket: RawSocketEnd, topic: string): void;
  expiryOf(socket: RawSocketEnd): number | undefined;
  renew(socket: RawSocketEnd, state: unknown, until: Until): boolean;
  expired(socket: RawSocketEnd, lateMs: number): void;
}

const NO_CHANNELS: readonly RoutedChannel[] = [];

/** A raw socket. */
export class RawSocketEnd implements RawSocket, ServedSocket, Callee, TimerOwner, Mortal {
  state: unknown;

  // -- the server's ------------------------------------------------------------------------------
  readonly connection: Connection;
  readonly identity: RawIdentity;
  readonly runtime: RawSocketRuntime;
  /** True from `opened` on: `init` runs, or has run, and so will `terminate`. */
  hasBegun = false;
  /** True once the connection has ended, whoever ended it; what waits already is still handled. */
  isEnded = false;
  /** True once `terminate` is to run: nothing is handled any more. */
  isOver = false;
  /** True while a synchronous callback is on the stack. */
  isRunning = false;
  isBusy = false;
  busySince = 0;
  run = 0;
  /** True while it is in line for another turn. */
  isScheduled = false;
  /** True where the callback on the stack has filled the mailbox. */
  isOverfull = false;
  mailbox: Mailbox<RawLetter> | undefined = undefined;
  idListener: IdListener | undefined = undefined;
  timers: Set<NodeJS.Timeout> | undefined = undefined;
  topics: Set<string> | undefined = undefined;
  onIdle: (() => void) | undefined = undefined;

  constructor(connection: Connection, identity: RawIdentity, runtime: RawSocketRuntime) {
    this.connection = connection;
    this.identity = identity;
    this.runtime = runtime;
    this.state = identity.state;
  }

  get id(): string | null {
    return this.identity.id;
  }

  get number(): number {
    return this.connection.id;
  }

  get transport(): string {
    return this.connection.transport;
  }

  get shard(): number {
    return this.runtime.shard;
  }

  get context(): ShardContext {
    return this.runtime.context;
  }

  get isOpen(): boolean {
    return !this.isEnded && this.connection.isOpen;
  }

  get hasRoom(): boolean {
    return this.isOpen && this.connection.hasRoom;
  }

  get expiresAtMs(): number | undefined {
    return this.runtime.expiryOf(this);
  }

  renew(state: unknown, until: Until): boolean {
    return this.runtime.renew(this, state, until);
  }

  push(frame: OutgoingFrame): void {
    // Checked first: what is no frame is a fault also where nobody is there to get it.
    if (!this.isEnded) sendFrame(this.connection, frame);
  }

  send(message: unknown): void {
    this.runtime.receive(this, { kind: "info", message });
  }

  sendAfter(delayMs: number, message: unknown): () => void {
    return callLater(this, delayMs, () => this.send(message));
  }

  subscribe(topic: string): void {
    this.runtime.listen(this, topic);
  }

  unsubscribe(topic: string): void {
    this.runtime.unlisten(this, topic);
  }

  /** Takes a broadcast of a topic that it listens to, or of its id. */
  receive(broadcast: { readonly topic: string; readonly event: string }): void {
    this.send(broadcast);
  }

  /** Is told that broadcasts of a topic that it listens to were lost. */
  missed(topic: string): void {
    this.runtime.receive(this, { kind: "missed", topic });
  }

  // -- the book of expiries ----------------------------------------------------------------------

  get expiringMs(): number {
    return this.identity.mount.definition.expiringMs;
  }

  expiring(leftMs: number): void {
    this.runtime.receive(this, { kind: "expiring", leftMs });
  }

  expired(lateMs: number): void {
    this.runtime.expired(this, lateMs);
  }

  // -- its transport's ---------------------------------------------------------------------------

  get path(): string {
    return this.identity.mount.path;
  }

  /** There is nothing to tell its client instead. */
  get slowClients(): SlowClientPolicy {
    return "close";
  }

  get isSerial(): boolean {
    return true;
  }

  get isHeldUp(): boolean {
    return this.isBusy || this.mailbox !== undefined;
  }

  get hasHeldBroadcasts(): boolean {
    return false;
  }

  allChannels(): readonly RoutedChannel[] {
    return NO_CHANNELS;
  }

  opened(): void {
    this.hasBegun = true;
    this.runtime.receive(this, { kind: "init" });
  }

  receiveText(data: string): void {
    this.runtime.receive(this, { kind: "in", frame: { opcode: "text", data } });
  }

  // The bytes are the engine's, which takes them back.
  receiveBytes(data: Uint8Array): void {
    const frame = { opcode: "binary", data: new Uint8Array(data) } as const;
    this.runtime.receive(this, { kind: "in", frame });
  }

  receiveControl(opcode: ControlOpcode, data: Uint8Array): void {
    if (!this.identity.mount.definition.handleControl) return;
    this.runtime.receive(this, { kind: "control", frame: { opcode, data: new Uint8Array(data) } });
  }

  end(code: number, reason: ExitReason): void {
    this.runtime.end(this, code, reason);
  }

  closed(code: number, reason: ExitReason): void {
    this.runtime.closed(this, code, reason);
  }

  tooSlow(): number {
    return 0;
  }
}

/** What listens to the topic of a raw socket's id, which its user may listen to as well. */
export class IdListener {
  readonly #socket: ServedSocket;

  constructor(socket: ServedSocket) {
    this.#socket = socket;
  }

  /** Only one event means anything on the topic of an id (WIRE §4.3). */
  receive({ event }: { readonly event: string }): void {
    if (event === EVENT.disconnect) this.#disconnect();
  }

  /** One that was lost may have been a ban: the client must connect anew. */
  missed(): void {
    this.#disconnect();
  }

  #disconnect(): void {
    this.#socket.end(CLOSE.goingAway, { shutdown: "disconnected" });
  }
}
