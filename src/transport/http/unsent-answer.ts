/**
 * An answer with a body that its client reads more slowly than it is sent.
 *
 *   sendAsRead --late, and the last of its connection--> PostponedAnswer --in the close phase--+
 *      |                                                                                      |
 *      |<-------------------------------------------------------------------------------------+
 *      +--the system takes all of it--> done
 *      |
 *      +--it takes a part--> UnsentAnswer --writable: the next part--> done
 *                                |
 *                                +--the client goes away, or is cut--> done
 *
 * The engine copies what `end` cannot send, and does not report how much that is. `tryEnd` copies nothing, so that the
 * only thing that waits is the body itself, which is counted. While an answer waits, the engine closes the connection if
 * it sends another request. So a client that asks again and again without reading cannot pile up answers either.
 *
 * Runs on: shard.
 * Owns: the engine's response until the body is sent or its client is gone; after that, any call on it throws.
 * Slow: the whole body counts until all of it has been sent. The engine cuts a client that reads nothing for about 30 s,
 *       and the node cuts those for which it holds most if it holds too much (`maxBufferBytes`).
 */

import type { EngineResponse } from "../engine/app-port.ts";
import { inClosePhase } from "../engine/close-phase.ts";
import { hasNoBody, sendAnswer, writeHead, type PreparedAnswer } from "./answer.ts";
import type { RequestHead } from "./request-head.ts";
import type { BufferedResponse, StreamBuffers } from "./stream-buffers.ts";

/**
 * The engine can close a connection after an answer only if it gets the whole body at once, and it copies what it
 * cannot send. Longer bodies are not worth that: their clients are only asked to close.
 */
const MAX_COPIED_BYTES = 65_536;

/** How to send an answer. */
export interface Sending {
  /** The head of the request. */
  readonly head: Pick<RequestHead, "method" | "isLast">;
  /** Whether the connection is to be closed afterwards, even if the client does not ask for it. */
  readonly isLast: boolean;
  /** Whether the engine's callback for the request may have returned. */
  readonly isLate: boolean;
  /** Called once the answer has been sent, or its client is gone. */
  readonly onEnd: () => void;
  /** Called when the answer is about to be sent, or with false if its client went away before. */
  readonly onSending?: ((isSending: boolean) => void) | undefined;
}

/**
 * Sends an answer to a request that has an abort handler, as fast as the client reads.
 *
 * If it `isLast` and its body has more than 64 KiB, the client is asked to close the connection. If it does not, the
 * engine closes it when it is idle.
 *
 * @returns the part that waits, which must be told if the client goes away
 */
export function sendAsRead(
  response: EngineResponse,
  answer: PreparedAnswer,
  buffers: StreamBuffers,
  sending: Sending,
): UnsentAnswer | PostponedAnswer | undefined {
  return sendInPhase(sending, () => sendNow(response, answer, buffers, sending));
}

/**
 * Calls a function that sends an answer: at once, or in the close phase if the engine then closes the connection.
 *
 * @param send - returns the part that waits
 * @returns what must be told if the client goes away
 */
export function sendInPhase(
  { head, isLast, isLate, onEnd, onSending }: Sending,
  send: () => UnsentAnswer | undefined,
): UnsentAnswer | PostponedAnswer | undefined {
  if (isLate && (isLast || head.isLast)) return new PostponedAnswer(send, onEnd, onSending);
  onSending?.(true);
  return send();
}

function sendNow(
  response: EngineResponse,
  answer: PreparedAnswer,
  buffers: StreamBuffers,
  { head, isLast, onEnd }: Sending,
): UnsentAnswer | undefined {
  const { status, body } = answer;
  const isHead = head.method === "HEAD";
  const bytes = Buffer.byteLength(body);
  const isCopied = bytes === 0 || (isLast && bytes <= MAX_COPIED_BYTES);
  if (isCopied || isHead || hasNoBody(status)) {
    onEnd();
    response.cork(() => sendAnswer(response, answer, isLast, isHead));
    return undefined;
  }
  let isSent = false;
  response.cork(() => {
    writeHead(response, answer);
    if (isLast) response.writeHeader("connection", "close");
    [, isSent] = response.tryEnd(body, bytes);
  });
  if (!isSent) return new UnsentAnswer(response, body, buffers, onEnd);
  onEnd();
  return undefined;
}

/** An answer that is sent in the close phase, because the engine then closes the connection. */
export class PostponedAnswer {
  readonly #onEnd: () => void;
  readonly #onSending: Sending["onSending"];
  #state: "postponed" | "sent" | "gone" = "postponed";
  #unsent: UnsentAnswer | undefined = undefined;

  /**
   * @param send - sends the answer, and returns the part that waits
   * @param onEnd - called if the client goes away before
   * @param onSending - called with whether it is sent
   */
  constructor(
    send: () => UnsentAnswer | undefined,
    onEnd: () => void,
    onSending?: Sending["onSending"],
  ) {
    this.#onEnd = onEnd;
    this.#onSending = onSending;
    inClosePhase(() => {
      if (this.#state === "gone") return;
      this.#state = "sent";
      this.#onSending?.(true);
      this.#unsent = send();
    });
  }

  /** Handles the end of the connection. */
  gone(): void {
    if (this.#state === "postponed") {
      this.#state = "gone";
      this.#onEnd();
      this.#onSending?.(false);
    } else {
      this.#unsent?.gone();
    }
  }
}

/** An answer of which a part waits for its client to read. */
export class UnsentAnswer implements BufferedResponse {
  readonly #response: EngineResponse;
  readonly #buffers: StreamBuffers;
  readonly #onEnd: () => void;
  /** The whole body; empty at the end. */
  #body: Uint8Array;
  #isOpen = true;
  #isGone = false;

  /** @param body - a body of which `tryEnd` has sent a part */
  constructor(
    response: EngineResponse,
    body: string | Uint8Array,
    buffers: StreamBuffers,
    onEnd: () => void,
  ) {
    this.#response = response;
    this.#body = typeof body === "string" ? Buffer.from(body) : body;
    this.#buffers = buffers;
    this.#onEnd = onEnd;
    const { length } = this.#body;
    response.onWritable((sentBytes) => {
      this.#sendFrom(sentBytes, length);
      return true;
    });
    buffers.update(this);
  }

  /** The length of the body, of which some may have been sent; 0 at the end. */
  get bufferedBytes(): number {
    return this.#body.length;
  }

  /** Cuts the connection, so that the client sees an incomplete answer. */
  abort(): void {
    if (!this.#isOpen) return;
    this.#end();
    inClosePhase(() => {
      if (!this.#isGone) this.#response.close();
    });
  }

  /** Cuts the connection, because the node holds too much. */
  shed(): void {
    this.abort();
  }

  /** Handles the end of the connection. */
  gone(): void {
    this.#isGone = true;
    if (this.#isOpen) this.#end();
  }

  #sendFrom(sentBytes: number, length: number): void {
    if (!this.#isOpen) return;
    // If user code has transferred its bytes to another thread, the rest is lost.
    if (this.#body.length !== length) {
      this.abort();
      return;
    }
    let isSent = false;
    this.#response.cork(() => {
      [, isSent] = this.#response.tryEnd(this.#body.subarray(sentBytes), length);
    });
    if (isSent) this.#end();
  }

  #end(): void {
    this.#isOpen = false;
    this.#body = EMPTY;
    this.#buffers.update(this);
    this.#onEnd();
  }
}

const EMPTY = new Uint8Array(0);
