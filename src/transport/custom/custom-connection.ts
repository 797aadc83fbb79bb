/**
 * One connection of a custom transport. Frames are exchanged with the transport by method calls.
 *
 * Runs on: the shard on which it was opened.
 * Full: a frame that is longer than those of a WebSocket may be ends the connection with 1009.
 * Slow: the transport reports unsent bytes (`bufferedBytes`), and `slow-clients` applies the policy.
 *       The transport itself keeps the frames that it has not sent.
 */

import type { Connection, RoomWaiter } from "../../channel/connection.ts";
import { invalidOption, shown } from "../../definition-checks.ts";
import type { ResolvedOptions } from "../../options/options.ts";
import { CLOSE, NO_CLOSE_FRAME } from "../../protocol/reserved.ts";
import type { ControlOpcode } from "../../socket/frame.ts";
import type { ServedSocket } from "../../socket/served-socket.ts";
import type { ConnectionSet } from "../connection-set.ts";
import type { SlowConnection } from "../slow-clients.ts";
import type { TransportClient, TransportConnection } from "./definition.ts";

/** Limits of a frame from a client. */
export type FrameLimits = Pick<ResolvedOptions, "maxFrameBytes" | "maxUnjoinedFrameBytes">;

const NO_BYTES = new Uint8Array(0);
const NO_WAITERS: RoomWaiter[] = [];

/** A connection of a custom transport. */
export class CustomConnection implements Connection, TransportConnection, SlowConnection {
  readonly id: number;
  readonly transport: string;
  readonly #client: TransportClient;
  readonly #connections: ConnectionSet<CustomConnection>;
  readonly #limits: FrameLimits;
  socket: ServedSocket | undefined = undefined;
  isOpen = true;
  #hasFailed = false;
  #waiters: RoomWaiter[] = NO_WAITERS;

  constructor(
    id: number,
    transport: string,
    client: TransportClient,
    connections: ConnectionSet<CustomConnection>,
    limits: FrameLimits,
  ) {
    this.id = id;
    this.transport = transport;
    this.#client = client;
    this.#connections = connections;
    this.#limits = limits;
  }

  get number(): number {
    return this.id;
  }

  get native(): undefined {
    return undefined;
  }

  /** As reported by the transport's own code, which may fail whenever it is asked. */
  get bufferedBytes(): number {
    if (!this.isOpen || this.#hasFailed) return 0;
    try {
      return checkedBytes(this.#client.bufferedBytes ?? 0);
    } catch (error) {
      this.#failed(error);
      return 0;
    }
  }

  get heldBytes(): number {
    return this.bufferedBytes;
  }

  get hasRoom(): boolean {
    return this.isOpen && this.bufferedBytes < this.#connections.roomBytes;
  }

  // -- the transport's side ----------------------------------------------------------------------

  receive(frame: string | Uint8Array): void {
    if (!this.isOpen) return;
    this.#connections.received(frame.length);
    if (this.#isTooLong(frame)) this.socket?.end(CLOSE.tooLarge, { shutdown: "closed" });
    else if (typeof frame === "string") this.socket?.receiveText(frame);
    else this.socket?.receiveBytes(frame);
  }

  control(opcode: ControlOpcode, data: Uint8Array = NO_BYTES): void {
    if (this.isOpen) this.socket?.receiveControl(opcode, data);
  }

  drained(): void {
    if (this.#waiters.length === 0 || !this.hasRoom) return;
    // Waiters for which there is still too little room wait again.
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
    if (!this.isOpen || this.#hasFailed) return;
    try {
      this.#client.send(ownFrame(frame, isBinary));
    } catch (error) {
      this.#failed(error);
    }
    const { maxBackpressureBytes, slowClients } = this.#connections;
    this.#connections.sent(frame.length);
    if (this.bufferedBytes > maxBackpressureBytes) slowClients.note(this, "behind");
  }

  ping(data: string | Uint8Array): void {
    if (this.isOpen) this.#call(() => this.#client.ping?.(new Uint8Array(Buffer.from(data))));
  }

  awaitRoom(waiter: RoomWaiter): void {
    if (this.#waiters === NO_WAITERS) this.#waiters = [];
    this.#waiters.push(waiter);
  }

  cork(work: () => void): void {
    work();
  }

  close(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.#end();
    this.#call(() => this.#client.close(code, reason));
  }

  /** Ends the connection without a close code, which a client that does not read would not see. */
  cut(): void {
    this.close(NO_CLOSE_FRAME, "");
    this.socket?.closed(NO_CLOSE_FRAME, { shutdown: "closed" });
  }

  #end(): void {
    this.isOpen = false;
    this.#waiters = NO_WAITERS;
    this.#connections.remove(this);
  }

  #call(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Ends the connection because the transport's own code threw. */
  #failed(error: unknown): void {
    this.#hasFailed = true;
    const fields = { connection: this.id, transport: this.transport, err: error };
    this.#connections.logger.log("transportFailed", fields);
    // Deferred, because the caller may be iterating over the channels that `cut` ends.
    setImmediate(() => this.cut());
  }

  #isTooLong(frame: string | Uint8Array): boolean {
    const { maxFrameBytes, maxUnjoinedFrameBytes } = this.#limits;
    const smallerBytes = Math.min(maxFrameBytes, maxUnjoinedFrameBytes);
    const mostBytes = mostBytesOf(frame);
    if (mostBytes <= smallerBytes) return false;
    const maxBytes = this.socket?.hasJoined === false ? smallerBytes : maxFrameBytes;
    return mostBytes > maxBytes && bytesOf(frame) > maxBytes;
  }
}

/** Returns the most that a frame may have, without counting (bytes). */
function mostBytesOf(frame: string | Uint8Array): number {
  // A UTF-16 unit has at most 3 bytes.
  return typeof frame === "string" ? frame.length * 3 : frame.length;
}

function bytesOf(frame: string | Uint8Array): number {
  return typeof frame === "string" ? Buffer.byteLength(frame) : frame.length;
}

/** Returns a number of bytes as given by a transport. Anything else would spoil the sums over all connections. */
function checkedBytes(bytes: unknown): number {
  if (Number.isFinite(bytes) && Number(bytes) >= 0) return Number(bytes);
  throw invalidOption(`bufferedBytes must be a number from 0 (bytes), got ${shown(bytes)}`);
}

/** Returns a copy that the transport may keep: the bytes may be in a ring that is reused at once. */
function ownFrame(frame: string | Uint8Array, isBinary: boolean): string | Uint8Array {
  if (typeof frame === "string") return frame;
  return isBinary ? new Uint8Array(frame) : Buffer.from(frame).toString("utf8");
}
