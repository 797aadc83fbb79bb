/**
 * One connection of a transport of the user's: frames go in and out by calls.
 *
 * Runs on: the shard that it was opened on.
 * Slow: what waits is the transport's to say (`bufferedBytes`); what meets the client,
 *       slow-clients decides. What `send` is given is the transport's to keep.
 */

import type { Connection, RoomWaiter } from "../../channel/connection.ts";
import { NO_CLOSE_FRAME } from "../../protocol/reserved.ts";
import type { ControlOpcode } from "../../socket/frame.ts";
import type { ServedSocket } from "../../socket/served-socket.ts";
import type { TransportClient, TransportConnection } from "./definition.ts";
import type { SlowConnection } from "../slow-clients.ts";

/** What connections tell, and ask of, those who keep them. */
export interface CustomEvents {
  /** While less than this waits, there is room. */
  readonly roomBytes: number;
  /** Beyond this a client may be slow. */
  readonly maxBytes: number;
  received(length: number): void;
  sent(length: number): void;
  slow(connection: CustomConnection): void;
  /** The transport's own code threw. */
  failed(connection: CustomConnection, error: unknown): void;
  closed(connection: CustomConnection): void;
}

const NO_BYTES = new Uint8Array(0);
const NOBODY: RoomWaiter[] = [];

/** A connection that a user's transport carries. */
export class CustomConnection implements Connection, TransportConnection, SlowConnection {
  readonly id: number;
  readonly transport: string;
  readonly isNative = false;
  readonly isCompressed = false;
  readonly #client: TransportClient;
  readonly #events: CustomEvents;
  socket: ServedSocket | undefined = undefined;
  isOpen = true;
  #waiters: RoomWaiter[] = NOBODY;

  constructor(id: number, transport: string, client: TransportClient, events: CustomEvents) {
    this.id = id;
    this.transport = transport;
    this.#client = client;
    this.#events = events;
  }

  get number(): number {
    return this.id;
  }

  get bufferedBytes(): number {
    return this.isOpen ? (this.#client.bufferedBytes ?? 0) : 0;
  }

  get hasRoom(): boolean {
    return this.isOpen && this.bufferedBytes < this.#events.roomBytes;
  }

  // -- the transport's side ----------------------------------------------------------------------

  receive(frame: string | Uint8Array): void {
    if (!this.isOpen) return;
    this.#events.received(frame.length);
    if (typeof frame === "string") this.socket?.receiveText(frame);
    else this.socket?.receiveBytes(frame);
  }

  control(opcode: ControlOpcode, data: Uint8Array = NO_BYTES): void {
    if (this.isOpen) this.socket?.receiveControl(opcode, data);
  }

  drained(): void {
    if (this.#waiters.length === 0 || !this.hasRoom) return;
    // Those for whom there is not enough wait anew.
    for (const waiter of this.#waiters.splice(0)) waiter.resume();
  }

  closed(code = NO_CLOSE_FRAME): void {
    if (!this.isOpen) return;
    this.#end();
    this.socket?.closed(code, { shutdown: "closed" });
  }

  // -- the socket's side -------------------------------------------------------------------------

  send(frame: string | Uint8Array): void {
    this.#send(frame, typeof frame !== "string");
  }

  sendEncoded(payload: Uint8Array, isBinary: boolean): void {
    this.#send(payload, isBinary);
  }

  #send(frame: string | Uint8Array, isBinary: boolean): void {
    if (!this.isOpen) return;
    try {
      this.#client.send(ownFrame(frame, isBinary));
    } catch (error) {
      this.#events.failed(this, error);
    }
    this.#events.sent(frame.length);
    if (this.bufferedBytes > this.#events.maxBytes) this.#events.slow(this);
  }

  ping(data: string | Uint8Array): void {
    if (this.isOpen) this.#call(() => this.#client.ping?.(new Uint8Array(Buffer.from(data))));
  }

  awaitRoom(waiter: RoomWaiter): void {
    if (this.#waiters === NOBODY) this.#waiters = [];
    this.#waiters.push(waiter);
  }

  // Not native: nobody calls these three.
  subscribe(): void {}
  unsubscribe(): void {}
  publish(): void {}

  cork(work: () => void): void {
    work();
  }

  close(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.#end();
    this.#call(() => this.#client.close(code, reason));
  }

  /** Ends it without a word, which a client that takes nothing would not hear. */
  cut(): void {
    this.close(NO_CLOSE_FRAME, "");
    this.socket?.closed(NO_CLOSE_FRAME, { shutdown: "closed" });
  }

  #end(): void {
    this.isOpen = false;
    this.#waiters = NOBODY;
    this.#events.closed(this);
  }

  #call(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#events.failed(this, error);
    }
  }
}

/** Gives a frame as the transport may keep it: bytes may lie in a ring, and be gone at once. */
function ownFrame(frame: string | Uint8Array, isBinary: boolean): string | Uint8Array {
  if (typeof frame === "string") return frame;
  return isBinary ? new Uint8Array(frame) : Buffer.from(frame).toString("utf8");
}
