/**
 * One WebSocket of the engine, as channels see it.
 *
 * Runs on: the shard that the engine dealt it to.
 * Owns: the engine's object from `open` to `close`; afterwards any call on that would throw, so
 *       it is let go first.
 * Slow: the engine skips nothing until far above our own limit; what it then refuses of what we
 *       send is kept in a backlog. What meets the client, slow-clients decides.
 */

import type { Connection, NativeConnection, RoomWaiter } from "../../channel/connection.ts";
import type { HeldBroadcasts } from "../../channel/held-broadcasts.ts";
import type { ServedSocket } from "../../socket/served-socket.ts";
import type { ConnectionSet } from "../connection-set.ts";
import type { EngineWebSocket } from "../engine/engine-types.ts";
import type { SlowConnection } from "../slow-clients.ts";
import { Backlog } from "./backlog.ts";

/** What the engine keeps with a WebSocket, from `upgrade` on. */
export interface WebSocketData {
  readonly connection: WebSocketConnection;
}

/** A WebSocket of the engine, with our connection on it. */
export type OurWebSocket = EngineWebSocket<WebSocketData> & WebSocketData;

/** What the connections of a mount have in common. */
export interface WebSocketKind {
  readonly connections: ConnectionSet<WebSocketConnection>;
  /** Broadcasts that are held for a moment: nothing that is sent later may overtake them. */
  readonly held: Pick<HeldBroadcasts, "isEmpty" | "flush">;
  /** Ticks of the sweep that it may be silent. */
  readonly idleTicks: number;
  /** True if frames are compressed for clients that agreed to it. */
  readonly isCompressed: boolean;
}

/** Shorter frames grow when they are compressed, or gain too little for the work. */
const COMPRESS_FROM_LENGTH = 128;

/** Results of the engine's `send` and `ping`. Where it skips a frame it calls `dropped` as well. */
const SEND_SKIPPED = 2;
const SEND_DONE = 1;

/** A connection over WebSocket. */
export class WebSocketConnection implements Connection, NativeConnection, SlowConnection {
  readonly id: number;
  readonly kind: WebSocketKind;
  #ws: OurWebSocket | undefined = undefined;
  #backlog: Backlog | undefined = undefined;
  socket: ServedSocket | undefined = undefined;
  /** Tick of the sweep at which something last came in. */
  lastInboundTick: number;

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

  /** Tick of the sweep at which it is too long silent, should nothing more come in. */
  get idleTick(): number {
    return this.lastInboundTick + this.kind.idleTicks + 1;
  }

  /**
   * What waits for a client that does not take it, with the engine and here. What was published,
   * or corked, within this turn is not among it.
   */
  get bufferedBytes(): number {
    return (this.#ws?.getBufferedAmount() ?? 0) + (this.#backlog?.length ?? 0);
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

  /** The engine has got rid of something: sends on what waits here. */
  drained(): void {
    if (this.#backlog) this.#ws?.cork(() => this.#sendBacklog());
  }

  /** Takes the engine's object. */
  attach(ws: OurWebSocket): void {
    this.#ws = ws;
  }

  /** Lets it go: the engine closed it. */
  detach(): void {
    this.#ws = undefined;
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
    this.#letGoOfHeld();
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
    this.#letGoOfHeld();
    // The engine calls the close handler from within `end`.
    this.#ws?.end(code, reason);
  }

  /** Ends it without a close frame, which a client that reads nothing would never see. */
  cut(): void {
    this.#ws?.close();
  }

  #letGoOfHeld(): void {
    const { held } = this.kind;
    if (!held.isEmpty && this.socket?.hasHeldBroadcasts === true) held.flush();
  }

  // Nothing that is published from now on may overtake what the engine refused. The engine has reported
  // it, so when the turn ends the connection is cut, or its channels are told.
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
    // Those for whom there is not enough wait again, in another backlog.
    this.#backlog = undefined;
    for (const waiter of backlog.takeWaiters()) waiter.resume();
  }
}

/** Reports whether a frame of this length (text in UTF-16 units) is worth compressing. */
export function mayCompress(isCompressed: boolean, length: number): boolean {
  return isCompressed && length >= COMPRESS_FROM_LENGTH;
}
