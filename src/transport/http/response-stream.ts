/**
 * A response that is written piece by piece, such as server-sent events or a long download.
 *
 *   write -> the engine -> the client
 *     |         |
 *     |         +-- if the client reads too slowly, the engine keeps the piece
 *     +-- later pieces wait here, until the engine has sent that one
 *
 * Runs on: shard.
 * Owns: the engine's response until it ends; after that, any call on it throws.
 * Slow: `bufferedBytes` reports unsent bytes, even after `end`. The engine cuts a client that reads nothing for
 *       about 30 s, and the node cuts those for which most is unsent if it holds too much (`maxBufferBytes`).
 */

import type { Logger } from "../../log/logger.ts";
import type { EngineResponse } from "../engine/app-port.ts";
import { inClosePhase } from "../engine/close-phase.ts";
import { writeHead, type PreparedAnswer } from "./answer.ts";
import type { RequestHead } from "./request-head.ts";
import type { StreamBuffers } from "./stream-buffers.ts";

/** A streamed response, as returned by a route. */
export interface StreamedResponse {
  /** HTTP status, 200 to 599. */
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Called at once. The head is sent with the first piece. If `stream` throws, the connection is
   * cut.
   */
  stream(out: ResponseStream): StreamListener | void;
}

/** Callbacks of a stream. If one of them throws, the connection is cut. */
export interface StreamListener {
  /** Called when all waiting pieces have been sent. */
  drained?(): void;
  /** Called when the client goes away, or is cut by the node, before the end. Nothing can be written after that. */
  closed?(): void;
}

/** The writing end of a response. */
export class ResponseStream {
  readonly #response: EngineResponse;
  readonly #head: Pick<RequestHead, "path" | "isLast">;
  readonly #logger: Logger;
  readonly #buffers: StreamBuffers;
  readonly #onEnd: () => void;
  #listener: StreamListener = {};
  /** Pieces that have not been passed to the engine yet, and their total length. */
  #waiting: (string | Uint8Array)[] = [];
  #waitingBytes = 0;
  /**
   * Length of the piece that the engine keeps, of which it may have sent a part; 0 if the engine
   * has room.
   */
  #keptBytes = 0;
  /** Ending: the route has ended it, and its last pieces wait for the client. */
  #state: "open" | "ending" | "over" = "open";
  #isGone = false;

  /**
   * @param head - the head of the request
   * @param onEnd - called once the response has ended or its client is gone
   */
  constructor(
    response: EngineResponse,
    head: Pick<RequestHead, "path" | "isLast">,
    logger: Logger,
    buffers: StreamBuffers,
    onEnd: () => void,
  ) {
    this.#response = response;
    this.#head = head;
    this.#logger = logger;
    this.#buffers = buffers;
    this.#onEnd = onEnd;
  }

  /** False once the response has ended or the client went away. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Bytes that could not be sent yet. */
  get bufferedBytes(): number {
    return this.#waitingBytes + this.#keptBytes;
  }

  /** Sends a piece. Bytes may be reused as soon as this returns. */
  write(piece: string | Uint8Array): void {
    // An empty piece would end the response.
    if (!this.isOpen || piece.length === 0) return;
    if (this.#keptBytes === 0) {
      this.#response.cork(() => this.#hand(piece));
      if (this.#keptBytes > 0) this.#buffers.update(this);
      return;
    }
    this.#waiting.push(typeof piece === "string" ? piece : new Uint8Array(piece));
    this.#waitingBytes += Buffer.byteLength(piece);
  }

  /** Ends the response after all unsent pieces and a last piece. */
  end(piece: string | Uint8Array = ""): void {
    if (!this.isOpen) return;
    // The engine copies what `end` cannot send, and does not report how much that is.
    this.#response.cork(() => {
      this.write(piece);
      this.#state = "ending";
      this.#listener = {};
      if (this.#keptBytes === 0) this.#finish();
    });
  }

  /** Cuts the connection, so that the client sees an incomplete response. */
  abort(): void {
    if (this.#state === "over") return;
    this.#forget();
    inClosePhase(() => {
      if (!this.#isGone) this.#response.close();
    });
  }

  /** Cuts the connection, because the node holds too much. To the route, its client has gone away. */
  shed(): void {
    if (this.#state === "over") return;
    const listener = this.#listener;
    this.abort();
    this.#guard(() => listener.closed?.());
  }

  /**
   * Sends the head, and calls the route's `stream`. Called once, by `Routes`.
   *
   * @param isLast - whether to ask the client to close the connection afterwards
   */
  begin(head: PreparedAnswer, streamed: StreamedResponse, isLast: boolean): void {
    this.#response.onWritable(() => {
      this.#drain();
      return true;
    });
    this.#response.cork(() => {
      writeHead(this.#response, head);
      // The engine cannot close the connection itself: it would write this header into the body.
      if (isLast) this.#response.writeHeader("connection", "close");
    });
    this.#guard(() => {
      this.#listener = streamed.stream(this) ?? {};
    });
  }

  /** Handles the end of the connection. Called by `Routes`. */
  gone(): void {
    this.#isGone = true;
    if (this.#state === "over") return;
    const listener = this.#listener;
    this.#forget();
    this.#guard(() => listener.closed?.());
  }

  #hand(piece: string | Uint8Array): void {
    if (!this.#response.write(piece)) this.#keptBytes = Buffer.byteLength(piece);
  }

  #drain(): void {
    if (this.#state === "over") return;
    this.#keptBytes = 0;
    // Called even if no pieces wait here, because the engine sends the rest of its piece only from
    // within a cork.
    this.#response.cork(() => {
      this.#handWaiting();
      if (this.#state === "ending" && this.#keptBytes === 0) this.#finish();
    });
    this.#buffers.update(this);
    if (this.isOpen && this.#keptBytes === 0) this.#guard(() => this.#listener.drained?.());
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

  #finish(): void {
    if (!this.#head.isLast) {
      this.#finishNow();
      return;
    }
    inClosePhase(() => {
      // Until now, its client may have gone away, and the engine's response with it.
      if (this.#state === "ending") this.#response.cork(() => this.#finishNow());
    });
  }

  #finishNow(): void {
    this.#response.end();
    this.#forget();
  }

  #forget(): void {
    this.#state = "over";
    this.#onEnd();
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#keptBytes = 0;
    this.#buffers.update(this);
    this.#listener = {};
  }

  /** Calls user code, and cuts the connection if the code throws. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.abort();
      this.#logger.log("routeFailed", { path: this.#head.path, err: error });
    }
  }
}
