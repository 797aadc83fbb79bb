/**
 * A WebSocket of the package `ws`, which reads frames and makes the closing handshake. Frames are written past it, at the
 * end of the turn. So they are written before it writes a close frame, whoever closes.
 *
 * Runs on: shard.
 */

import { WebSocket, type RawData } from "ws";

/** What is told of a WebSocket, until it is closed. */
export interface WsOwner {
  onMessage(data: Buffer, isBinary: boolean): void;
  onPing(data: Buffer): void;
  onPong(data: Buffer): void;
  /** Writes all that waits. */
  flushAll(): void;
  /** The WebSocket is closed: nothing may be written to it. Called once. */
  onClosed(code: number): void;
}

/** What `onClosed` gets for a close frame without a code. */
const NO_CODE = 1005;
/** The answers to a client's close frame, as in Phoenix. */
const NORMAL = 1000;
const PROTOCOL_ERROR = 1002;
const NO_REASON: Buffer = Buffer.alloc(0);
/** The codes that a client may close with. */
const CLIENT_CODES: readonly (readonly [from: number, to: number])[] = [
  [1000, 1003],
  [1007, 1011],
  [3000, 4999],
];

/** A WebSocket with its owner. */
export class WsClient extends WebSocket {
  /** Undefined before the WebSocket is opened, and after it is closed. */
  owner: WsOwner | undefined = undefined;

  /** Sets the owner. Must be called once. */
  own(owner: WsOwner): void {
    this.owner = owner;
    this.on("message", onMessage);
    this.on("ping", onPing);
    this.on("pong", onPong);
    this.on("error", ignore);
    this.on("close", onClose);
  }

  /** Sends a close frame, after all that waits. */
  finish(code: number | undefined, reason: Buffer): void {
    this.#close(code, code, reason);
  }

  /**
   * Called by `ws`: after an error of the client with a code alone, and after a close frame of the client with its code
   * and reason, or with neither.
   */
  override close(code?: number, reason?: string | Buffer): void {
    if (code === undefined) this.#close(NO_CODE, NORMAL, NO_REASON);
    else if (reason === undefined) this.#close(code, code, NO_REASON);
    else this.#close(code, isOfClients(code) ? NORMAL : PROTOCOL_ERROR, NO_REASON);
  }

  /** Cuts the connection. */
  cut(code: number): void {
    const { owner } = this;
    this.owner = undefined;
    this.terminate();
    owner?.onClosed(code);
  }

  /**
   * @param code - what the owner is told
   * @param answer - what the client is told
   */
  #close(code: number | undefined, answer: number | undefined, reason: Buffer): void {
    const { owner } = this;
    this.owner = undefined;
    owner?.flushAll();
    super.close(answer, reason);
    owner?.onClosed(code ?? NO_CODE);
  }
}

function isOfClients(code: number): boolean {
  return CLIENT_CODES.some(([from, to]) => code >= from && code <= to);
}

// One function each for all WebSockets, as they are called with the WebSocket as `this`.

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  // Whole messages come as a Buffer, because that is the default binary type.
  (this as WsClient).owner?.onMessage(data as Buffer, isBinary);
}

function onPing(this: WebSocket, data: Buffer): void {
  (this as WsClient).owner?.onPing(data);
}

function onPong(this: WebSocket, data: Buffer): void {
  (this as WsClient).owner?.onPong(data);
}

function onClose(this: WebSocket, code: number): void {
  const { owner } = this as WsClient;
  (this as WsClient).owner = undefined;
  owner?.onClosed(code);
}

// `ws` has closed the connection with the right code.
function ignore(): void {}
