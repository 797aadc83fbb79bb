/**
 * One connection of a custom transport. Frames are exchanged with the transport by method calls.
 *
 * Runs on: the shard on which it was opened.
 * Order: frames are handled in the order in which they arrived, including those that wait for a later turn.
 * Full: frames have the same limits as those of a WebSocket; a longer one ends the connection with 1009. When the
 *       budget of the turn is spent, or a serial socket is busy, the transport is told to stop reading. Frames that it
 *       passes on nevertheless wait, and the connection is cut when too many wait.
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
import type { TurnBudget } from "../turn-budget.ts";
import type { WaitingMessage } from "../waiting-messages.ts";
import type { TransportClient, TransportConnection } from "./definition.ts";

/** Limits of a frame from a client. */
export type FrameLimits = Pick<ResolvedOptions, "maxFrameBytes" | "maxUnjoinedFrameBytes">;

/** State shared by all connections of a shard's custom transports. */
export interface CustomKind {
  readonly connections: ConnectionSet<CustomConnection>;
  readonly limits: FrameLimits;
  readonly budget: TurnBudget<CustomConnection>;
  /** Cuts the connection of a client for which more bytes wait than are allowed. */
  readonly cutFlooding: (connection: CustomConnection) => void;
  /** Called when a connection has ended. */
  readonly ended: (connection: CustomConnection) => void;
}

const NO_BYTES = new Uint8Array(0);

/** A connection of a custom transport. */
export class CustomConnection implements Connection, TransportConnection, SlowConnection {
  readonly id: number;
  readonly transport: string;
  readonly #client: TransportClient;
  /** Address of the client; empty if it is not known. */
  readonly peerAddress: string;
  readonly #kind: CustomKind;
  readonly #connections: ConnectionSet<CustomConnection>;
  socket: ServedSocket | undefined = undefined;
  isOpen = true;
  #hasFailed = false;
  /** Whether the transport was told to stop reading. */
  #isPaused = false;
  #isResumeScheduled = false;
  #waiters: Set<RoomWaiter> | undefined = undefined;

  constructor(
    id: number,
    transport: string,
    client: TransportClient,
    peerAddress: string,
    kind: CustomKind,
  ) {
    this.id = id;
    this.transport = transport;
    this.#client = client;
    this.peerAddress = peerAddress;
    this.#kind = kind;
    this.#connections = kind.connections;
  }

  get number(): number {
    return this.id;
  }

  get native(): undefined {
    return undefined;
  }

  /** Unsent bytes, as reported by the transport's own code, which may throw. */
  get bufferedBytes(): number {
    return this.#reported("bufferedBytes");
  }

  #reported(name: "bufferedBytes" | "heldBytes"): number {
    if (!this.isOpen || this.#hasFailed) return 0;
    try {
      return checkedBytes(name, this.#client[name] ?? 0);
    } catch (error) {
      this.#failed(error);
      return 0;
    }
  }

  get heldBytes(): number {
    const bytes = Math.max(this.bufferedBytes, this.#reported("heldBytes"));
    return bytes + this.#kind.budget.bytesOf(this);
  }

  get hasRoom(): boolean {
    return this.isOpen && this.bufferedBytes < this.#connections.roomBytes;
  }

  // -- the transport's side ----------------------------------------------------------------------

  receive(frame: string | Uint8Array): boolean {
    if (!this.isOpen) return false;
    this.#connections.received(frame.length);
    if (this.#isTooLong(frame)) this.socket?.end(CLOSE.tooLarge, { shutdown: "closed" });
    else this.#take(typeof frame === "string" ? "text" : "bytes", frame);
    if (!this.isOpen) return false;
    this.#isPaused = this.#isBehind();
    return !this.#isPaused;
  }

  control(opcode: ControlOpcode, data: Uint8Array = NO_BYTES): void {
    if (this.isOpen) this.#take(opcode, data);
  }

  #take(kind: WaitingMessage["kind"], data: string | Uint8Array): void {
    const verdict = this.#kind.budget.take(this, kind, data);
    if (verdict === "now") this.#handle(kind, data);
    else if (verdict === "full") this.#kind.cutFlooding(this);
  }

  /** Handles a frame that has waited, whose bytes are valid only during the call. */
  handle({ kind, bytes }: WaitingMessage): void {
    if (kind !== "text") this.#handle(kind, bytes);
    else this.#handle(kind, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  }

  #handle(kind: WaitingMessage["kind"], data: string | Uint8Array): void {
    const { socket } = this;
    if (!socket || socket.isEnded) return;
    if (typeof data === "string") socket.receiveText(data);
    else if (kind === "ping" || kind === "pong") socket.receiveControl(kind, data);
    else socket.receiveBytes(data);
  }

  /** Reports whether frames wait, here or in the socket. Once none wait, `caughtUp` is called. */
  #isBehind(): boolean {
    const { socket } = this;
    if (socket?.isHeldUp === true) {
      socket.onIdle ??= () => this.caughtUp();
      return true;
    }
    return this.#kind.budget.bytesOf(this) > 0;
  }

  /** Called when no more frames wait for a turn, or for the socket. Lets the transport read on. */
  caughtUp(): void {
    if (!this.#isPaused || this.#isResumeScheduled) return;
    this.#isResumeScheduled = true;
    // Deferred, because the caller may be handling a frame, and the transport may pass on the next one.
    setImmediate(() => {
      this.#isResumeScheduled = false;
      if (!this.isOpen || !this.#isPaused || this.#isBehind()) return;
      this.#isPaused = false;
      this.#call(() => this.#client.resume?.());
    });
  }

  isHandling(topic: string): boolean {
    if (!this.isOpen) return false;
    return this.#kind.budget.bytesOf(this) > 0 || this.socket?.isHandling(topic) === true;
  }

  drained(): void {
    this.#resumeWaiters();
    if (this.isOpen) this.#connections.taken(this);
  }

  kept(bytes: number): void {
    this.#connections.kept(checkedBytes("bytes", bytes));
  }

  #resumeWaiters(): void {
    const waiters = this.#waiters;
    if (!waiters || !this.hasRoom) return;
    // Waiters for which there is still too little room wait again.
    this.#waiters = undefined;
    for (const waiter of waiters) waiter.resume();
  }

  closed(code = NO_CLOSE_FRAME): void {
    if (!this.isOpen) return;
    this.#end();
    const closed = (): void => this.socket?.closed(code, { shutdown: "closed" });
    // What the client sent before it went away is handled first.
    if (!this.#kind.budget.finish(this, closed)) closed();
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

  handled(): void {
    if (this.isOpen && this.#client.handled) this.#call(() => this.#client.handled?.());
  }

  repliesLater(topic: string, ref: unknown): void {
    if (this.isOpen && this.#client.repliesLater)
      this.#call(() => this.#client.repliesLater?.(topic, ref));
  }

  awaitRoom(waiter: RoomWaiter): void {
    this.#waiters ??= new Set();
    this.#waiters.add(waiter);
  }

  stopAwaiting(waiter: RoomWaiter): void {
    this.#waiters?.delete(waiter);
  }

  cork(work: () => void): void {
    work();
  }

  close(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.#end();
    this.#kind.budget.drop(this);
    this.#call(() => this.#client.close(code, reason));
  }

  /** Ends the connection without a close code, which a client that does not read would not see. */
  cut(): void {
    this.close(NO_CLOSE_FRAME, "");
    this.socket?.closed(NO_CLOSE_FRAME, { shutdown: "closed" });
  }

  #end(): void {
    this.isOpen = false;
    this.#waiters = undefined;
    this.#connections.remove(this);
    this.#kind.ended(this);
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
    const { maxFrameBytes, maxUnjoinedFrameBytes } = this.#kind.limits;
    const smallerBytes = Math.min(maxFrameBytes, maxUnjoinedFrameBytes);
    const mostBytes = mostBytesOf(frame);
    if (mostBytes <= smallerBytes) return false;
    const maxBytes = this.socket?.hasJoined === false ? smallerBytes : maxFrameBytes;
    return mostBytes > maxBytes && bytesOf(frame) > maxBytes;
  }
}

/** Returns an upper bound for the size of a frame, without encoding it (bytes). */
function mostBytesOf(frame: string | Uint8Array): number {
  // A UTF-16 unit has at most 3 bytes.
  return typeof frame === "string" ? frame.length * 3 : frame.length;
}

function bytesOf(frame: string | Uint8Array): number {
  return typeof frame === "string" ? Buffer.byteLength(frame) : frame.length;
}

/** Checks a number of bytes from a transport. An invalid one would spoil the sums over all connections. */
function checkedBytes(name: string, bytes: unknown): number {
  if (Number.isFinite(bytes) && Number(bytes) >= 0) return Number(bytes);
  throw invalidOption(`${name} must be a number from 0 (bytes), got ${shown(bytes)}`);
}

/** Returns a copy that the transport may keep, since the bytes may be in a ring that is soon overwritten. */
function ownFrame(frame: string | Uint8Array, isBinary: boolean): string | Uint8Array {
  if (typeof frame === "string") return frame;
  return isBinary ? new Uint8Array(frame) : Buffer.from(frame).toString("utf8");
}
