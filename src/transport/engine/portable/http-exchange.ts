/**
 * A request and its response.
 *
 *   begun --write--> streaming --end--> ended: what waits is sent, then the connection's next request begins
 *     |                 |                 ^
 *     +--end, tryEnd----|-----------------+
 *     +--upgrade--> over: a WebSocket
 *     +-----------------+--the connection closes--> over: `onAborted`
 *
 * Node's `ServerResponse` frames the response. It gets at most 64 KiB more than the system has taken, so that each part
 * that is taken shows that the client reads (`unread-answers`).
 *
 * Runs on: main, shard.
 * Owns: copies of what `write` and `end` were given and the system has not taken. The caller owns the body of a `tryEnd`.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import type { EngineResponse, EngineText } from "../app-port.ts";
import { bytesOf } from "./frame.ts";
import { ownBytesOf } from "./own-bytes.ts";
import { addressBytes, addressOf } from "./peer-address.ts";
import { HttpRequest } from "./http-request.ts";
import type { PortableWebSocket } from "./portable-websocket.ts";
import { throwUncaught } from "./uncaught.ts";
import type { WebSocketMount } from "./websocket-mount.ts";

/** Most of a body that Node.js gets at once. */
const MAX_PIECE_BYTES = 65_536;
const NO_BYTES = new ArrayBuffer(0);
const CODE_LENGTH = 3;
/** Answers that have neither a body nor a length (RFC 9110 §8.6). */
const WITHOUT_LENGTH: ReadonlySet<number> = new Set([204, 304]);
const BEYOND_ASCII = /[^\0-\u007f]/;
/** Control characters, which Node.js refuses in a header, as HTTP does. */
const NOT_IN_HEADERS = /[^\t\u0020-\u007e\u0080-\u00ff]/g;

/** The connection of an exchange. */
export interface ExchangeConnection {
  readonly socket: Socket;
  /** The address that a PROXY header names; empty if there was none. */
  readonly proxiedAddress: string;
  /** Returns the headers of the request if Node.js reads it a second time. */
  takeRawHeaders(): readonly string[] | undefined;
  /** The client has to read before more of the response is sent. */
  isBehind(): void;
  /** It has read. */
  caughtUp(): void;
  /** Reads nothing more, from the end of this turn on. */
  pause(): void;
  /** Reads again. */
  resume(): void;
  /** Makes it a WebSocket. */
  upgrade(open: (socket: Socket) => PortableWebSocket): void;
  /** Closes the connection at once. */
  cut(): void;
}

/** A request and its response. */
export class HttpExchange implements EngineResponse {
  readonly request: HttpRequest;
  /** The WebSocket path that the request asks for. */
  readonly mount: WebSocketMount | undefined;
  readonly #connection: ExchangeConnection;
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  #status = 200;
  #reason = "OK";
  readonly #headers: string[] = [];
  /** Whether a header says that the connection is closed. */
  #isLast = false;
  /** Whether characters of a header stand for bytes. */
  #hasEncoded = false;
  #isHeadSent = false;
  /** The number of bytes of the body that Node.js has got. */
  #sentBytes = 0;
  /** Pieces of the body that wait for the client. */
  #waiting: Uint8Array[] = [];
  /** Whether the client has to read before anything more is sent. */
  #isBehind = false;
  #state: "open" | "ended" | "over" = "open";
  #onAborted: (() => void) | undefined = undefined;
  #onWritable: ((sentBytes: number) => boolean) | undefined = undefined;
  #onData: ((chunk: ArrayBuffer, isLast: boolean) => void) | undefined = undefined;

  /** @param mount - the WebSocket path that the request asks for, if it asks for an upgrade */
  constructor(
    connection: ExchangeConnection,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    mount: WebSocketMount | undefined,
  ) {
    this.mount = mount;
    this.request = new HttpRequest(incoming, connection.takeRawHeaders() ?? incoming.rawHeaders);
    this.#connection = connection;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  /** Whether the response has been given, or nobody waits for it any more. */
  get isDone(): boolean {
    return this.#state !== "open";
  }

  /** Whether the head of the response has been given. */
  get isHeadSent(): boolean {
    return this.#isHeadSent;
  }

  /** Whether the connection may go on after the response to a request that asked for an upgrade. */
  get keepsAlive(): boolean {
    return this.#outgoing.shouldKeepAlive && !this.#isLast;
  }

  /** Whether the whole request has arrived. */
  get isRead(): boolean {
    return this.#incoming.complete || this.mount !== undefined;
  }

  /** Whether it is a request of HTTP/1.1 for a path. Otherwise it is not served. */
  get isServed(): boolean {
    return this.#incoming.httpVersion === "1.1" && this.request.getUrl().startsWith("/");
  }

  /** Takes the connection from the response to a request that asked for an upgrade. */
  detach(): void {
    this.#outgoing.detachSocket(this.#connection.socket);
  }

  /** Calls a function when the whole request has arrived. */
  whenRead(done: () => void): void {
    this.#incoming.once("end", done);
  }

  writeStatus(status: string): this {
    this.#check();
    this.#status = Number(status.slice(0, CODE_LENGTH));
    this.#reason = status.slice(CODE_LENGTH + 1);
    return this;
  }

  writeHeader(name: string, value: string): this {
    this.#check();
    if (name.toLowerCase() === "connection") this.#isLast = value.toLowerCase() === "close";
    const bytes = encoded(value);
    if (bytes !== value) this.#hasEncoded = true;
    this.#headers.push(name, bytes);
    return this;
  }

  write(piece: EngineText): boolean {
    this.#check();
    this.#sendHead();
    this.#waiting.push(copyOf(piece));
    return this.#sendWaiting();
  }

  end(body: EngineText = "", closes = false): this {
    this.#check();
    const length = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
    if (!this.#isHeadSent) this.#sendHead(length, closes);
    if (length <= MAX_PIECE_BYTES && this.#waiting.length === 0) {
      this.#finish(typeof body === "string" ? body : copyOf(body));
      return this;
    }
    if (length > 0) this.#waiting.push(copyOf(body));
    this.#state = "ended";
    this.#sendWaiting();
    return this;
  }

  endWithoutBody(bytes?: number, closes = false): this {
    this.#check();
    if (!this.#isHeadSent) this.#sendHead(bytes, closes);
    this.#finish();
    return this;
  }

  tryEnd(body: EngineText, totalBytes: number): [isSent: boolean, hasEnded: boolean] {
    this.#check();
    if (!this.#isHeadSent) this.#sendHead(totalBytes);
    if (this.#isBehind) return [false, false];
    const bytes = typeof body === "string" ? Buffer.from(body) : bytesOf(body);
    let at = 0;
    for (; bytes.length - at > MAX_PIECE_BYTES; at += MAX_PIECE_BYTES) {
      this.#sendNow(bytes.subarray(at, at + MAX_PIECE_BYTES));
      if (this.#isBehind) return [false, false];
    }
    if (this.#sentBytes + bytes.length - at < totalBytes) {
      this.#sendNow(bytes.subarray(at));
      return [!this.#isBehind, false];
    }
    this.#sentBytes = totalBytes;
    const rest = bytes.subarray(at);
    this.#finish(typeof body === "string" ? rest : Buffer.from(rest));
    return [true, true];
  }

  onWritable(handler: (sentBytes: number) => boolean): this {
    this.#check();
    this.#onWritable = handler;
    return this;
  }

  onAborted(handler: () => void): this {
    this.#check();
    this.#onAborted = handler;
    return this;
  }

  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): this {
    this.#check();
    if (!this.#onData) {
      this.#incoming.on("data", (chunk: Buffer) => this.#arrived(ownBytesOf(chunk), false));
      this.#incoming.on("end", () => this.#arrived(NO_BYTES, true));
    }
    this.#onData = handler;
    return this;
  }

  pause(): this {
    this.#check();
    this.#connection.pause();
    return this;
  }

  resume(): this {
    this.#check();
    this.#connection.resume();
    return this;
  }

  cork(work: () => void): this {
    this.#check();
    work();
    return this;
  }

  close(): this {
    this.#check();
    this.#connection.cut();
    return this;
  }

  upgrade(
    _userData: object,
    key: string,
    subprotocol: string,
    extensions: string,
    context: object,
  ): void {
    this.#check();
    this.#state = "over";
    this.#onAborted = undefined;
    this.detach();
    this.#connection.upgrade((socket) =>
      (context as WebSocketMount).upgrade(socket, key, subprotocol, extensions),
    );
  }

  getRemoteAddressAsText(): ArrayBuffer {
    this.#check();
    return addressBytes(addressOf(this.#connection.socket));
  }

  getProxiedRemoteAddressAsText(): ArrayBuffer {
    this.#check();
    return addressBytes(this.#connection.proxiedAddress);
  }

  /** The handler of the request has returned. A body that it does not read is dropped as it arrives. */
  handled(): void {
    if (!this.#onData) this.#incoming.resume();
  }

  /** The system has taken all that Node.js had. */
  drained(): void {
    if (!this.#isBehind || this.#connection.socket.writableLength > 0) return;
    this.#isBehind = false;
    if (this.#waiting.length > 0) {
      this.#sendWaiting();
      if (this.#isBehind || this.#state !== "open") return;
    }
    this.#connection.caughtUp();
    if (this.#state !== "open") return;
    try {
      this.#onWritable?.(this.#sentBytes);
    } catch (error) {
      throwUncaught(error);
    }
  }

  /** The connection is closed. */
  aborted(): void {
    const isOpen = this.#state === "open";
    this.#state = "over";
    this.#waiting = [];
    if (!isOpen) return;
    try {
      this.#onAborted?.();
    } catch (error) {
      throwUncaught(error);
    }
  }

  #check(): void {
    if (this.#state !== "open") {
      throw new Error("a response must not be used after it has ended or was aborted");
    }
  }

  #arrived(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#state !== "open") return;
    try {
      this.#onData?.(chunk, isLast);
    } catch (error) {
      throwUncaught(error);
    }
  }

  #sendHead(bytes?: number, closes = false): void {
    if (this.#isHeadSent) return;
    this.#isHeadSent = true;
    const headers = this.#headers;
    if (bytes !== undefined && !WITHOUT_LENGTH.has(this.#status)) {
      headers.push("content-length", String(bytes));
    }
    // Node.js adds `connection: close`, and closes the connection when all is sent.
    if (closes) this.#outgoing.shouldKeepAlive = false;
    this.#outgoing.writeHead(this.#status, this.#reason, headers);
  }

  /** @returns false if the client has to read first */
  #sendWaiting(): boolean {
    while (!this.#isBehind) {
      const piece = this.#waiting[0];
      if (!piece) break;
      if (piece.length > MAX_PIECE_BYTES) this.#waiting[0] = piece.subarray(MAX_PIECE_BYTES);
      else this.#waiting.shift();
      this.#sendNow(piece.subarray(0, MAX_PIECE_BYTES));
    }
    if (this.#waiting.length === 0 && this.#state === "ended") this.#endOutgoing("");
    return !this.#isBehind;
  }

  #sendNow(bytes: Uint8Array): void {
    this.#sentBytes += bytes.length;
    if (this.#outgoing.write(bytes)) return;
    this.#isBehind = true;
    this.#connection.isBehind();
  }

  #finish(last: string | Uint8Array = ""): void {
    this.#sendHead();
    this.#state = "ended";
    this.#endOutgoing(last);
  }

  #endOutgoing(last: string | Uint8Array): void {
    // Node.js joins text to the head, and then writes both as UTF-8.
    this.#outgoing.end(this.#hasEncoded ? copyOf(last) : last);
    if (this.#connection.socket.writableLength > 0) this.#connection.isBehind();
  }
}

function copyOf(text: EngineText): Uint8Array {
  return typeof text === "string" ? Buffer.from(text) : Buffer.from(bytesOf(text));
}

/** Returns the value of a header as Node.js takes it, which writes each character as a byte. */
function encoded(value: string): string {
  const bytes = BEYOND_ASCII.test(value) ? Buffer.from(value).toString("latin1") : value;
  return bytes.replace(NOT_IN_HEADERS, "");
}
