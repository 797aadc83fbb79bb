/**
 * A WebSocket connection, over the engine's WebSocket object.
 *
 * Runs on: the shard to which the engine assigned it.
 * Owns: the engine's object from `open` to `close`. After that, any call on it would throw, so the
 *       reference is dropped first.
 * Slow: the engine does not skip frames until far above our limit. Frames to this client that it then
 *       refuses are kept in a backlog. `slow-clients` decides what happens to the client.
 */

import type { Connection, NativeConnection, RoomWaiter } from "../../channel/connection.ts";
import type { HeldBroadcasts } from "../../channel/held-broadcasts.ts";
import type { ServedSocket } from "../../socket/served-socket.ts";
import type { ConnectionSet } from "../connection-set.ts";
import { inClosePhase } from "../engine/close-phase.ts";
import type { EngineWebSocket } from "../engine/app-port.ts";
import type { SlowConnection } from "../slow-clients.ts";
import { Backlog } from "./backlog.ts";
import type { TurnBudget } from "../turn-budget.ts";

/** The user data of the engine's WebSocket, set on `open`. */
export interface WebSocketData {
  connection: WebSocketConnection;
}

/** The engine's WebSocket, with our connection as a property. */
export type OurWebSocket = EngineWebSocket & WebSocketData;

/** State shared by all connections of a mount. */
export interface WebSocketKind {
  readonly connections: ConnectionSet<WebSocketConnection>;
  /** Broadcasts that are being coalesced. No later frame may overtake them. */
  readonly held: Pick<HeldBroadcasts, "isEmpty" | "flush">;
  /** Messages that wait for their turn. */
  readonly budget: Pick<TurnBudget<WebSocketConnection>, "bytesOf">;
  /** Number of ticks of the sweep for which a connection may be silent. */
  readonly idleTicks: number;
  /** Whether frames are compressed for clients that negotiated it. */
  readonly isCompressed: boolean;
}

/** Compression makes shorter frames longer, or saves too little. */
const COMPRESS_FROM_LENGTH = 128;

/**
 * Results of the engine's `send` and `ping`. When the engine skips a frame, it also calls
 * `dropped`.
 */
const SEND_SKIPPED = 2;
const SEND_DONE = 1;

/** A WebSocket connection. */
export class WebSocketConnection implements Connection, NativeConnection, SlowConnection {
  readonly id: number;
  readonly kind: WebSocketKind;
  #ws: OurWebSocket | undefined = undefined;
  /** The engine's object of a connection that was cut, until the engine has closed it. */
  #cut: OurWebSocket | undefined = undefined;
  #backlog: Backlog | undefined = undefined;
  socket: ServedSocket | undefined = undefined;
  /** Tick of the sweep when a frame was last received. */
  lastInboundTick: number;
  /** The address by the connection's request; undefined if it is that of the peer. */
  clientAddress: string | undefined = undefined;

  constructor(id: number, kind: WebSocketKind, nowTick: number) {
    this.id = id;
    this.kind = kind;
    this.lastInboundTick = nowTick;
  }

  get transport(): string {
    return "websocket";
  }

  get native(): NativeConnection {
    return this;
  }

  get isCompressed(): boolean {
    return this.kind.isCompressed;
  }

  get isOpen(): boolean {
    return this.#ws !== undefined;
  }

  /** Tick of the sweep when the connection is idle, if nothing more is received. */
  get idleTick(): number {
    return this.lastInboundTick + this.kind.idleTicks + 1;
  }

  /**
   * Bytes in the engine and in the backlog that have not been sent yet. Frames that were published
   * or corked in this turn are not included.
   */
  get bufferedBytes(): number {
    return (this.#ws?.getBufferedAmount() ?? 0) + (this.#backlog?.length ?? 0);
  }

  /** Address of the client, or of a proxy that is not trusted; empty once the connection is closed. */
  get peerAddress(): string {
    if (this.clientAddress !== undefined) return this.clientAddress;
    return this.#ws ? Buffer.from(this.#ws.getRemoteAddressAsText()).toString("latin1") : "";
  }

  get heldBytes(): number {
    return this.bufferedBytes + this.kind.budget.bytesOf(this);
  }

  get hasRoom(): boolean {
    if (!this.#ws || this.#backlog?.hasFrames === true) return false;
    return this.#ws.getBufferedAmount() < this.kind.connections.roomBytes;
  }

  awaitRoom(waiter: RoomWaiter): void {
    if (!this.#ws) return;
    this.#backlog ??= new Backlog();
    this.#backlog.wait(waiter);
  }

  stopAwaiting(waiter: RoomWaiter): void {
    this.#backlog?.stopWaiting(waiter);
  }

  /** Called when the engine has sent some of its buffer. Sends from the backlog. */
  drained(): void {
    if (this.#backlog) this.#ws?.cork(() => this.#sendBacklog());
  }

  /** Attaches the engine's object. */
  attach(ws: OurWebSocket): void {
    this.#ws = ws;
  }

  /** Drops the engine's object, because it is closed. */
  detach(): void {
    this.#ws = undefined;
    this.#cut = undefined;
    this.#backlog = undefined;
  }

  send(frame: string | Uint8Array): void {
    this.#send(frame, typeof frame !== "string");
  }

  sendEncoded(payload: Uint8Array, isBinary: boolean): void {
    this.#send(payload, isBinary);
  }

  #send(frame: string | Uint8Array, isBinary: boolean): void {
    if (!this.#ws) return;
    this.#flushHeld();
    if (this.#backlog?.hasFrames === true) {
      this.#keep(this.#backlog, frame, isBinary);
      return;
    }
    const result = this.#ws.send(frame, isBinary, mayCompress(this.isCompressed, frame.length));
    if (result === SEND_SKIPPED) {
      this.#leaveAllTopics(this.#ws);
      this.#keep((this.#backlog ??= new Backlog()), frame, isBinary);
      return;
    }
    const { connections } = this.kind;
    connections.sent(frame.length);
    if (result !== SEND_DONE) connections.slowClients.note(this, "behind");
  }

  ping(data: string | Uint8Array): void {
    if (this.#ws && this.#ws.ping(data) !== SEND_DONE) {
      this.kind.connections.slowClients.note(this, "behind");
    }
  }

  subscribe(nativeTopic: string): void {
    this.#ws?.subscribe(nativeTopic);
  }

  unsubscribe(nativeTopic: string): void {
    this.#ws?.unsubscribe(nativeTopic);
  }

  publish(nativeTopic: string, frame: Uint8Array, isBinary: boolean, receivers: number): void {
    if (!this.#ws) return;
    const isCompressed = mayCompress(this.isCompressed, frame.length);
    this.#ws.publish(nativeTopic, frame, isBinary, isCompressed);
    this.kind.connections.published(receivers, frame.length);
  }

  cork(work: () => void): void {
    if (this.#ws) this.#ws.cork(work);
    else work();
  }

  close(code: number, reason: string): void {
    this.#flushHeld();
    // The engine calls the close handler from within `end`.
    this.#ws?.end(code, reason);
  }

  /**
   * Ends the connection without a close frame, which a client that does not read would not see. From now on nothing is
   * sent or received; the engine closes it in the close phase, or when it delivers another message.
   */
  cut(): void {
    if (!this.#ws) return;
    this.#cut = this.#ws;
    this.#ws = undefined;
    this.#backlog = undefined;
    inClosePhase(() => this.tryFinishCut());
  }

  /** Closes a connection that was cut. Called in the close phase, and from the engine's callbacks. */
  tryFinishCut(): boolean {
    if (!this.#cut) return false;
    // The engine calls the close handler from within `close`, which detaches.
    this.#cut.close();
    return true;
  }

  #flushHeld(): void {
    const { held } = this.kind;
    if (!held.isEmpty && this.socket?.hasHeldBroadcasts === true) held.flush();
  }

  // Leaves all topics, so that no later broadcast overtakes the frame that the engine refused. The
  // engine has reported the skip, so the connection is cut or its channels end when the turn ends.
  #leaveAllTopics(ws: OurWebSocket): void {
    for (const topic of ws.getTopics()) ws.unsubscribe(topic);
  }

  #keep(backlog: Backlog, frame: string | Uint8Array, isBinary: boolean): void {
    backlog.keep(frame, isBinary);
    const { maxBackpressureBytes, slowClients } = this.kind.connections;
    if (backlog.length > maxBackpressureBytes) slowClients.note(this, "full");
  }

  #sendBacklog(): void {
    const backlog = this.#backlog;
    backlog?.flush(
      () => (this.#ws?.getBufferedAmount() ?? Infinity) < this.kind.connections.roomBytes,
      (frame, isBinary) => {
        this.#ws?.send(frame, isBinary, mayCompress(this.isCompressed, frame.length));
        this.kind.connections.sent(frame.length);
      },
    );
    if (!backlog || !this.hasRoom) return;
    // Waiters for which there is still too little room wait again, in a new backlog.
    this.#backlog = undefined;
    for (const waiter of backlog.takeWaiters()) waiter.resume();
  }
}

/** Reports whether a frame of this length (bytes, or UTF-16 units of text) may be compressed. */
export function mayCompress(isCompressed: boolean, length: number): boolean {
  return isCompressed && length >= COMPRESS_FROM_LENGTH;
}
