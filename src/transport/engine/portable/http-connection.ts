/**
 * A TCP connection: its requests one after the other, until it becomes a WebSocket or closes.
 *
 *   opened --(PROXY header, TLS handshake: `connection-opening`)--> idle
 *
 *   idle   --request--> busy --answered, and the system has taken all--> idle, or busy with the next request
 *      |                 |
 *      |                 +--another request: waits, and nothing more is read--> ...
 *      |                 +--upgrade--> WebSocket
 *      +-----------------+--closed, or cut--> over
 *
 * Runs on: main, shard.
 * Full: requests that wait are those that had arrived when the first of them did, which is at most what is read at once.
 *       A client that sends more than `MAX_WAITING` in it is cut.
 */

import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";

import type { EngineResponse } from "../app-port.ts";
import type { ExchangeConnection, HttpExchange } from "./http-exchange.ts";
import type { PortableWebSocket } from "./portable-websocket.ts";
import { throwUncaught } from "./uncaught.ts";
import type { UnreadAnswer, UnreadAnswers } from "./unread-answers.ts";

/** Most requests that wait for the answers to earlier ones. */
const MAX_WAITING = 64;

/** What the connections of an app share. */
export interface SharedByConnections {
  readonly unread: UnreadAnswers;
  /** Passes a request to its route. */
  readonly handle: (connection: HttpConnection, exchange: HttpExchange) => void;
  /** Lets Node.js read requests from a connection again. */
  readonly readOn: (connection: HttpConnection) => void;
  /** The connection is over. */
  readonly closed: (connection: HttpConnection) => void;
}

/** A TCP connection. */
export class HttpConnection implements ExchangeConnection, UnreadAnswer {
  /** The connection itself, and that of TLS after the handshake. */
  socket: Socket;
  proxiedAddress = "";
  readonly #shared: SharedByConnections;
  /** Whether its requests are read. */
  #isReady = true;
  /** What comes before its requests, while it may not be read. */
  #opening: (() => void) | undefined = undefined;
  /** The request that is being answered, or whose answer is being sent. */
  #exchange: HttpExchange | undefined = undefined;
  #waiting: HttpExchange[] | undefined = undefined;
  #webSocket: PortableWebSocket | undefined = undefined;
  /** Whether it is closed after the next answer. */
  #isLast = false;
  #isPaused = false;
  #bytesBefore = 0;
  #isOver = false;
  /** The headers of a request that Node.js reads a second time, then without the one that asks for an upgrade. */
  #rawHeaders: readonly string[] | undefined = undefined;
  /** Called if the connection closes before its first request. */
  onAborted: (() => void) | undefined = undefined;

  constructor(socket: Socket, shared: SharedByConnections) {
    this.socket = socket;
    this.#shared = shared;
  }

  /** Whether it is closed. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether it is or was a WebSocket. */
  get isUpgraded(): boolean {
    return this.#webSocket !== undefined;
  }

  /** The request that is being answered, or whose answer is being sent. */
  get exchange(): HttpExchange | undefined {
    return this.#exchange;
  }

  /** Something comes before its requests. Calls a function that reads it, as soon as it may be read. */
  open(begin: () => void): void {
    this.#isReady = false;
    if (this.#isPaused) this.#opening = begin;
    else begin();
  }

  /** Its requests are read from a socket, from here on. */
  ready(socket: Socket): void {
    this.socket = socket;
    this.#isReady = true;
    this.readsOn();
  }

  /** Lets its requests be read, unless it is paused. */
  start(): void {
    if (this.#isPaused) this.pause();
    else this.socket.resume();
  }

  /** The next request will be read a second time. */
  readAgain(rawHeaders: readonly string[]): void {
    this.#rawHeaders = rawHeaders;
  }

  /** Node.js reads requests from here on. */
  readsOn(): void {
    this.#bytesBefore = this.socket.bytesRead - this.socket.readableLength;
  }

  takeRawHeaders(): readonly string[] | undefined {
    const rawHeaders = this.#rawHeaders;
    this.#rawHeaders = undefined;
    return rawHeaders;
  }

  get takenBytes(): number {
    return this.socket.bytesWritten - this.socket.writableLength;
  }

  /** A request has arrived. */
  request(exchange: HttpExchange): void {
    this.onAborted = undefined;
    // The last answer has been given: this request would get none, so it must have no effect.
    if (!this.socket.writable) return;
    if (this.#exchange) this.#wait(exchange);
    else this.#begin(exchange);
  }

  isBehind(): void {
    this.#shared.unread.add(this);
    // Node.js no longer tells the response of a request that has asked for an upgrade.
    if (this.#exchange?.mount) this.socket.once("drain", () => this.#exchange?.drained());
  }

  caughtUp(): void {
    this.#shared.unread.remove(this);
  }

  /** The system has taken the whole answer. */
  answered(): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (!exchange || this.#isOver) return;
    const { unread } = this.#shared;
    unread.remove(this);
    if (exchange.mount) {
      this.#refused(exchange);
      return;
    }
    if (!exchange.isRead) {
      unread.add(this);
      exchange.whenRead(() => unread.remove(this));
    }
    if (this.socket.writable) this.#next();
  }

  /**
   * What has arrived cannot be read as a request, or its rest is late.
   *
   * @param status - of the answer, unless other answers come first
   */
  broken(status: number, isLate: boolean): void {
    const exchange = this.#exchange;
    if (!exchange) {
      if (isLate && !this.#hasBegun) this.cut();
      else refuse(this.socket, status);
    } else if (!exchange.isRead && !exchange.isHeadSent) {
      refuse(this.socket, status);
    } else if (exchange.isRead && this.socket.writable) {
      // What came before is answered.
      this.#isLast = true;
      this.pause();
    } else {
      this.cut();
    }
  }

  /** The client has ended its side. An answer that has not been given would not be sent. */
  halfClosed(): void {
    if (!this.#isReady) this.cut();
    else if (this.#exchange && !this.#exchange.isDone) this.cut();
  }

  upgrade(open: (socket: Socket) => PortableWebSocket): void {
    this.#exchange = undefined;
    this.#webSocket = open(this.socket);
  }

  pause(): void {
    this.#isPaused = true;
    // Node.js may be about to resume it, since it has begun to listen for data.
    process.nextTick(() => {
      if (this.#isPaused && this.#isReady) this.socket.pause();
    });
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#isReady) {
      this.socket.resume();
      return;
    }
    const begin = this.#opening;
    this.#opening = undefined;
    begin?.();
  }

  cut(): void {
    this.socket.destroy();
    this.over();
  }

  /** Closes the WebSocket, or the connection, at once. */
  closeAll(): void {
    this.#webSocket?.closeAny();
    this.cut();
  }

  /** The connection is closed. */
  over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#shared.unread.remove(this);
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#waiting = undefined;
    exchange?.aborted();
    const { onAborted } = this;
    this.onAborted = undefined;
    try {
      onAborted?.();
    } catch (error) {
      throwUncaught(error);
    }
    this.#shared.closed(this);
  }

  /** Whether something has arrived since Node.js reads requests from the connection. */
  get #hasBegun(): boolean {
    return this.socket.bytesRead > this.#bytesBefore;
  }

  #begin(exchange: HttpExchange): void {
    this.#exchange = exchange;
    this.#shared.handle(this, exchange);
  }

  /** An upgrade has been refused. Node.js reads no request after one that has asked for an upgrade. */
  #refused(exchange: HttpExchange): void {
    exchange.detach();
    if (exchange.keepsAlive && this.socket.writable) this.#shared.readOn(this);
    else this.socket.destroySoon();
  }

  #next(): void {
    const next = this.#waiting?.shift();
    if (!next) {
      if (this.#isLast) this.socket.destroySoon();
      return;
    }
    if (this.#waiting?.length === 0) {
      this.#waiting = undefined;
      if (!this.#isLast) this.resume();
    }
    this.#begin(next);
  }

  #wait(exchange: HttpExchange): void {
    const waiting = (this.#waiting ??= []);
    if (waiting.length === MAX_WAITING) {
      this.cut();
      return;
    }
    if (waiting.length === 0) this.pause();
    waiting.push(exchange);
  }
}

/** Answers with a status, and closes the connection. */
export function refuse(socket: Socket, status: number): void {
  if (socket.writable) {
    const reason = STATUS_CODES[status] ?? "";
    socket.write(`HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  }
  socket.destroy();
}

/** A connection as the filter of an app gets it. */
export class OpenedConnection {
  readonly #connection: HttpConnection;

  constructor(connection: HttpConnection) {
    this.#connection = connection;
  }

  pause(): this {
    this.#connection.pause();
    return this;
  }

  resume(): this {
    this.#connection.resume();
    return this;
  }

  onAborted(handler: () => void): this {
    this.#connection.onAborted = handler;
    return this;
  }

  close(): this {
    this.#connection.cut();
    return this;
  }
}

/** Returns a connection as the filter gets it. It must call nothing else of a response. */
export function responseOf(connection: HttpConnection): EngineResponse {
  return new OpenedConnection(connection) as unknown as EngineResponse;
}
