/**
 * One WebSocket of the engine, as channels see it.
 *
 * Runs on: the shard that the engine dealt it to.
 * Owns: the engine's object from `open` to `close`; afterwards any call on that would throw, so
 *       it is let go first.
 * Slow: the engine skips nothing until far above our own limit; what it then refuses of what we
 *       send is kept in a backlog. What meets the client, slow-clients decides.
 */

import type { Connection, RoomWaiter } from "../../channel/connection.ts";
import type { ServedSocket } from "../../socket/served-socket.ts";
import { Backlog } from "./backlog.ts";
import type { EngineWebSocket } from "../engine/engine-types.ts";

/** What the engine keeps with a WebSocket, from `upgrade` on. */
export interface WebSocketData {
  readonly connection: WebSocketConnection;
}

/** A WebSocket of the engine, with our connection on it. */
export type OurWebSocket = EngineWebSocket<WebSocketData> & WebSocketData;

/** What the connections of a mount have in common. */
export interface ConnectionKind {
  /** Ticks of the sweep that it may be silent. */
  readonly idleTicks: number;
  /** True where frames are compressed for clients that agreed to it. */
  readonly isCompressed: boolean;
}

/** What connections tell, and ask of, the transport that made them. */
export interface ConnectionEvents {
  /** While less than this waits, there is room. */
  readonly roomBytes: number;
  /** Most that a backlog may have. */
  readonly maxBacklogLength: number;
  /** A frame of this length (text in UTF-16 units) was sent to one connection. */
  sent(length: number): void;
  /** Bytes were published to whoever has the topic: so many receivers. */
  published(receivers: number, bytes: number): void;
  /** Something is about to be sent: nothing that came before it may still be held. */
  beforeSend(connection: WebSocketConnection): void;
  /** The engine had to keep what was sent; `full`: so had we, and too much of it. */
  slow(connection: WebSocketConnection, cause: "behind" | "full"): void;
}

/** Shorter frames grow when they are compressed, or gain too little for the work. */
const COMPRESS_FROM_LENGTH = 128;

/** Results of the engine's `send` and `ping`. Where it skips a frame it calls `dropped` as well. */
const SEND_SKIPPED = 2;
const SEND_DONE = 1;

/** A connection over WebSocket. */
export class WebSocketConnection implements Connection {
  readonly id: number;
  readonly kind: ConnectionKind;
  readonly #events: ConnectionEvents;
  #ws: OurWebSocket | undefined = undefined;
  #backlog: Backlog | undefined = undefined;
  socket: ServedSocket | undefined = undefined;
  /** Tick of the sweep at which something last came in. */
  lastInboundTick: number;

  constructor(id: number, kind: ConnectionKind, nowTick: number, events: ConnectionEvents) {
    this.id = id;
    this.kind = kind;
    this.lastInboundTick = nowTick;
    this.#events = events;
  }

  get transport(): string {
    return "websocket";
  }

  get isNative(): boolean {
    return true;
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
    return this.#ws.getBufferedAmount() < this.#events.roomBytes;
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
    this.#events.beforeSend(this);
    if (this.#backlog?.hasFrames === true) {
      this.#keep(this.#backlog, frame, isBinary);
      return;
    }
    const result = this.#ws.send(frame, isBinary, mayCompress(this.isCompressed, frame.length));
    if (result === SEND_SKIPPED) {
      this.#keep((this.#backlog ??= new Backlog()), frame, isBinary);
      return;
    }
    this.#events.sent(frame.length);
    if (result !== SEND_DONE) this.#events.slow(this, "behind");
  }

  ping(data: string | Uint8Array): void {
    if (this.#ws && this.#ws.ping(data) !== SEND_DONE) this.#events.slow(this, "behind");
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
    this.#events.published(receivers, frame.length);
  }

  cork(work: () => void): void {
    if (this.#ws) this.#ws.cork(work);
    else work();
  }

  close(code: number, reason: string): void {
    this.#events.beforeSend(this);
    // The engine calls the close handler from within `end`.
    this.#ws?.end(code, reason);
  }

  /** Ends it without a close frame, which a client that reads nothing would never see. */
  cut(): void {
    this.#ws?.close();
  }

  #keep(backlog: Backlog, frame: string | Uint8Array, isBinary: boolean): void {
    backlog.keep(frame, isBinary);
    if (backlog.length > this.#events.maxBacklogLength) this.#events.slow(this, "full");
  }

  #sendBacklog(): void {
    const backlog = this.#backlog;
    backlog?.flush(
      () => (this.#ws?.getBufferedAmount() ?? Infinity) < this.#events.roomBytes,
      (frame, isBinary) => {
        this.#ws?.send(frame, isBinary, mayCompress(this.isCompressed, frame.length));
        this.#events.sent(frame.length);
      },
    );
    if (!backlog || !this.hasRoom) return;
    // Those for whom there is not enough wait anew, in another backlog.
    this.#backlog = undefined;
    for (const waiter of backlog.takeWaiters()) waiter.resume();
  }
}

/** True where a frame of this length (text in UTF-16 units) is worth compressing. */
export function mayCompress(isCompressed: boolean, length: number): boolean {
  return isCompressed && length >= COMPRESS_FROM_LENGTH;
}
