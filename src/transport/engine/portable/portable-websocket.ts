/**
 * A WebSocket of the portable engine.
 *
 *   send, ping, publish -> frame -> waits until the end of the turn -> one write -> the system
 *                                     ^                                  |
 *                                     +-- the write ends, later if the client reads slowly
 *
 * Runs on: shard.
 * Owns: the connection from `open` to `close`. After that, all calls but `cork` throw.
 * Order: frames leave in the order of the calls. A close frame is last.
 * Slow: at most one write is on its way, so that each that ends shows that the client reads (`drain`). If more than
 *       `maxBackpressure` waits, messages and pongs are skipped.
 */

import type { Socket } from "node:net";

import type { EngineBehavior, EngineText, EngineWebSocket } from "../app-port.ts";
import { Broadcast, type Subscriber } from "./broadcast.ts";
import { bytesOf, compressedFrameOf, frameOf, OPCODE } from "./frame.ts";
import { OutgoingBytes } from "./outgoing-bytes.ts";
import { addressBytes, addressOf } from "./peer-address.ts";
import { nameOf, type Topic, type Topics } from "./topics.ts";
import type { TurnEnd, Writer } from "./turn-end.ts";
import { throwUncaught } from "./uncaught.ts";
import type { WsClient, WsOwner } from "./ws-client.ts";

/** What the WebSockets of a path share. */
export interface WebSocketPath {
  readonly behavior: EngineBehavior;
  readonly topics: Topics;
  readonly turnEnd: TurnEnd;
}

/** Results of `send`. */
const WAITS = 0;
const SENT = 1;
const SKIPPED = 2;

/** If more than this waits, it is written before the end of the turn. */
const FULL_BYTES = 65_536;
/** After this much of a client has been read in a turn, no more is. */
const MAX_TURN_BYTES = 65_536;
/** What a small message takes besides its bytes. */
const FRAME_BYTES = 32;
/** The code of a connection that ended without a close frame. */
const ABNORMAL = 1006;
/** Longest reason in a close frame. */
const MAX_REASON_BYTES = 123;

/** A WebSocket, from `open` to `close`. */
export class PortableWebSocket implements EngineWebSocket, Subscriber, WsOwner, Writer {
  readonly #path: WebSocketPath;
  readonly #client: WsClient | undefined;
  readonly #socket: Socket;
  /** Whether the client negotiated compression. */
  readonly #compresses: boolean;
  #outgoing: OutgoingBytes | undefined = undefined;
  #topics: Topic[] | undefined = undefined;
  #onWritten: (() => void) | undefined = undefined;
  /** Whether the system has not taken the last write yet. */
  #isWriting = false;
  /** Whether it is written to at the end of this turn. */
  #isDue = false;
  /** Whether nothing more is read in this turn. */
  #isPaused = false;
  #isOver = false;
  /** The turn in which a message was last read, and the bytes of all messages of that turn. */
  #turn = 0;
  #turnBytes = 0;

  /** @param client - a WebSocket that has just been opened; undefined if the connection has just ended */
  constructor(path: WebSocketPath, client: WsClient | undefined, socket: Socket) {
    this.#path = path;
    this.#client = client;
    this.#socket = socket;
    this.#compresses = client !== undefined && client.extensions !== "";
  }

  /** Returns a WebSocket whose connection has just ended. It is closed in the next turn. */
  static ended(path: WebSocketPath, socket: Socket): PortableWebSocket {
    const ws = new PortableWebSocket(path, undefined, socket);
    setImmediate(() => ws.onClosed(ABNORMAL));
    return ws;
  }

  send(message: EngineText, isBinary = false, compress = false): number {
    this.#check();
    if (this.#skips()) return SKIPPED;
    const opcode = isBinary ? OPCODE.binary : OPCODE.text;
    const isCompressed = compress && this.#compresses;
    return this.#queue(
      isCompressed ? compressedFrameOf(opcode, message) : frameOf(opcode, message),
    );
  }

  ping(data: EngineText = ""): number {
    this.#check();
    return this.#skips() ? SKIPPED : this.#queue(frameOf(OPCODE.ping, data));
  }

  /** Sends a message that others get too. */
  deliver(broadcast: Broadcast): void {
    if (!this.#skips()) this.#queue(broadcast.frame(this.#compresses));
  }

  end(code?: number, reason: EngineText = ""): void {
    this.#check();
    const bytes = typeof reason === "string" ? Buffer.from(reason) : Buffer.from(bytesOf(reason));
    if (this.#client) this.#client.finish(code, bytes.subarray(0, MAX_REASON_BYTES));
    else this.onClosed(ABNORMAL);
  }

  close(): void {
    this.#check();
    if (this.#client) this.#client.cut(ABNORMAL);
    else this.onClosed(ABNORMAL);
  }

  /** Closes it, if it is open. */
  closeAny(): void {
    if (!this.#isOver) this.close();
  }

  cork(work: () => void): this {
    work();
    return this;
  }

  subscribe(topic: EngineText): boolean {
    this.#check();
    const subscribed = this.#path.topics.subscribe(topic, this);
    if (subscribed) (this.#topics ??= []).push(subscribed);
    return subscribed !== undefined;
  }

  unsubscribe(topic: EngineText): boolean {
    this.#check();
    const name = nameOf(topic);
    const topics = this.#topics ?? [];
    const at = topics.findIndex((each) => each.name === name);
    const found = topics[at];
    if (!found) return false;
    topics.splice(at, 1);
    this.#path.topics.unsubscribe(found, this);
    return true;
  }

  getTopics(): string[] {
    this.#check();
    return this.#topics?.map(({ name }) => name) ?? [];
  }

  publish(topic: EngineText, message: EngineText, isBinary = false, compress = false): boolean {
    this.#check();
    const found = this.#path.topics.find(topic);
    return found
      ? new Broadcast(message, isBinary, compress).deliverTo(found.subscribers, this)
      : false;
  }

  getBufferedAmount(): number {
    this.#check();
    return this.#unsentBytes;
  }

  getRemoteAddressAsText(): ArrayBuffer {
    this.#check();
    return addressBytes(addressOf(this.#socket));
  }

  /** Writes what was sent in this turn, and reads again. */
  flush(): void {
    this.#isDue = false;
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#client?.resume();
    }
    this.#write();
  }

  /** Writes what waits, unless a write is on its way. */
  #write(): void {
    const outgoing = this.#outgoing;
    if (!outgoing || this.#isOver) return;
    const onWritten = (this.#onWritten ??= (): void => this.#written());
    while (!this.#isWriting && outgoing.length > 0) {
      this.#socket.write(outgoing.take(), onWritten);
      this.#isWriting = this.#socket.writableLength > 0;
    }
  }

  flushAll(): void {
    const outgoing = this.#outgoing;
    while (outgoing && outgoing.length > 0) this.#socket.write(outgoing.take());
  }

  onMessage(data: Buffer, isBinary: boolean): void {
    this.#count(data);
    try {
      this.#path.behavior.message(this, data, isBinary);
    } catch (error) {
      throwUncaught(error);
    }
  }

  onPing(data: Buffer): void {
    this.#count(data);
    if (this.#unsentBytes <= this.#path.behavior.maxBackpressure) {
      this.#queue(frameOf(OPCODE.pong, data));
    }
    try {
      this.#path.behavior.ping(this, data);
    } catch (error) {
      throwUncaught(error);
    }
  }

  onPong(data: Buffer): void {
    this.#count(data);
    try {
      this.#path.behavior.pong(this, data);
    } catch (error) {
      throwUncaught(error);
    }
  }

  onClosed(code: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#outgoing = undefined;
    // As Phoenix, it does not wait for the client's close frame.
    this.#socket.end();
    for (const topic of this.#topics ?? []) this.#path.topics.unsubscribe(topic, this);
    this.#topics = undefined;
    try {
      this.#path.behavior.close(this, code);
    } catch (error) {
      throwUncaught(error);
    }
  }

  /** The bytes that wait for the client. Those of this turn do not, as long as the system takes all. */
  get #unsentBytes(): number {
    if (!this.#isWriting) return 0;
    return (this.#outgoing?.length ?? 0) + this.#socket.writableLength;
  }

  /**
   * Counts what has arrived. The system may have more than a turn should take; others come first then. What is read
   * already is handled in this turn.
   */
  #count({ length }: Buffer): void {
    const { turn } = this.#path.turnEnd;
    if (turn !== this.#turn) {
      this.#turn = turn;
      this.#turnBytes = 0;
    }
    this.#turnBytes += length + FRAME_BYTES;
    if (this.#turnBytes < MAX_TURN_BYTES || this.#isPaused || !this.#client) return;
    this.#isPaused = true;
    this.#client.pause();
    this.#flushLater();
  }

  /** Has `flush` called at the end of this turn. */
  #flushLater(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#path.turnEnd.add(this);
  }

  #check(): void {
    if (this.#isOver) throw new Error("a WebSocket must not be used after it is closed");
  }

  #skips(): boolean {
    const { behavior } = this.#path;
    if (this.#unsentBytes <= behavior.maxBackpressure) return false;
    behavior.dropped(this);
    return true;
  }

  /** @returns the result of `send` */
  #queue(frame: Uint8Array): number {
    const outgoing = (this.#outgoing ??= new OutgoingBytes());
    outgoing.add(frame);
    if (this.#isWriting) return WAITS;
    if (outgoing.length > FULL_BYTES) this.#write();
    else this.#flushLater();
    return this.#isWriting ? WAITS : SENT;
  }

  /** Called after each write, also after those that the system took at once. */
  #written(): void {
    if (!this.#isWriting || this.#isOver || this.#socket.writableLength > 0) return;
    this.#isWriting = false;
    this.#write();
    try {
      this.#path.behavior.drain(this);
    } catch (error) {
      throwUncaught(error);
    }
  }
}
