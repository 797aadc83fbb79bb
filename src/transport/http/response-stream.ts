/**
 * A response that is written piece by piece, for as long as its client stays: server-sent events, or
 * a long download.
 *
 *   write -> the engine -> the client
 *     |         |
 *     |         +-- the client takes too little: the engine keeps the piece
 *     +-- and we the pieces after it, until the engine is rid of that one
 *
 * Runs on: shard.
 * Owns: the engine's response, until it ended; afterwards any call on it throws.
 * Slow: `bufferedBytes` says what waits. A client that takes none of it for about 30 s is cut by the
 *       engine.
 */

import type { Logger } from "../../log/logger.ts";
import type { HttpResponse } from "../engine/engine-types.ts";
import { writeHead, type PreparedAnswer } from "./answer.ts";

/** A response in pieces, as a route returns it. */
export interface StreamedResponse {
  /** HTTP status, 200 to 599. */
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called at once. The head is sent with the first piece. What it throws cuts the connection. */
  stream(out: ResponseStream): StreamListener | void;
}

/** Called with what becomes of a stream. What one of these throws cuts the connection. */
export interface StreamListener {
  /** The client has taken what waited for it. */
  drained?(): void;
  /** The client went away before the end. Nothing can be written any more. */
  closed?(): void;
}

/** The writing end of a response. */
export class ResponseStream {
  readonly #response: HttpResponse;
  readonly #path: string;
  readonly #logger: Logger;
  #listener: StreamListener = {};
  /** Pieces that the engine was not given, and their bytes. */
  #waiting: (string | Uint8Array)[] = [];
  #waitingBytes = 0;
  /** Of the piece that the engine keeps, as far as is known; 0: it has room. */
  #keptBytes = 0;
  #isOpen = true;

  /** @param path - of the request, for the log */
  constructor(response: HttpResponse, path: string, logger: Logger) {
    this.#response = response;
    this.#path = path;
    this.#logger = logger;
  }

  /** False once it was ended, or the client went away. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Bytes that wait for the client to take them. */
  get bufferedBytes(): number {
    return this.#waitingBytes + this.#keptBytes;
  }

  /** Sends a piece: text, or bytes, which may be used again when this returns. */
  write(piece: string | Uint8Array): void {
    // An empty piece would end the response.
    if (!this.#isOpen || piece.length === 0) return;
    if (this.#keptBytes === 0) {
      this.#response.cork(() => this.#hand(piece));
      return;
    }
    this.#waiting.push(typeof piece === "string" ? piece : new Uint8Array(piece));
    this.#waitingBytes += Buffer.byteLength(piece);
  }

  /** Ends the response, after what waits and a last piece. */
  end(piece: string | Uint8Array = ""): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#response.cork(() => {
      for (const waiting of this.#waiting) this.#response.write(waiting);
      this.#response.end(piece);
    });
    this.#forget();
  }

  /** Cuts the connection: the client sees that the response is not whole. */
  abort(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#response.close();
    this.#forget();
  }

  /** Sends the head, and lets the route write. Called once, by what serves routes. */
  begin(head: PreparedAnswer, streamed: StreamedResponse): void {
    this.#response.onWritable(() => {
      this.#drain();
      return true;
    });
    this.#response.cork(() => writeHead(this.#response, head));
    this.#guard(() => {
      this.#listener = streamed.stream(this) ?? {};
    });
  }

  /** Handles the end of the connection. Called by what serves routes. */
  gone(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const listener = this.#listener;
    this.#forget();
    this.#guard(() => listener.closed?.());
  }

  #hand(piece: string | Uint8Array): void {
    if (!this.#response.write(piece)) this.#keptBytes = Buffer.byteLength(piece);
  }

  #drain(): void {
    if (!this.#isOpen) return;
    this.#keptBytes = 0;
    // Also if nothing waits here: the engine sends on what it keeps only when it is corked.
    this.#response.cork(() => this.#handWaiting());
    if (this.#keptBytes === 0) this.#guard(() => this.#listener.drained?.());
  }

  #handWaiting(): void {
    let count = 0;
    for (const piece of this.#waiting) {
      if (this.#keptBytes > 0) break;
      count += 1;
      this.#waitingBytes -= Buffer.byteLength(piece);
      this.#hand(piece);
    }
    this.#waiting.splice(0, count);
  }

  #forget(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#keptBytes = 0;
    this.#listener = {};
  }

  /** Runs code of the user's. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#logger.log("routeFailed", { path: this.#path, err: error });
      this.abort();
    }
  }
}
