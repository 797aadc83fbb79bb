/**
 * How a request says where its body ends (RFC 9112 §6): not at all, by one `Content-Length`, or by the
 * transfer coding `chunked`. Anything else is refused: a proxy in front may see another end, and then the
 * two disagree about where the next request begins (request smuggling, RFC 9112 §11.2).
 *
 * The engine calls the handler of a request before it looks at these headers. It uses the first
 * `Content-Length`, takes an empty one for 0, and reads any transfer coding as `chunked`.
 *
 * Runs on: main, shard.
 */

import type { EngineRequest, EngineResponse } from "../engine/app-port.ts";
import { inClosePhase } from "../engine/close-phase.ts";
import type { TcpConnections } from "../tcp-connections.ts";
import { plainAnswer, sendAnswer } from "./answer.ts";

const LENGTH = /^\d{1,18}$/;
const CHUNKED = "chunked";

/** The framing of a request, read header by header. */
export class BodyFraming {
  #isGiven = false;
  #isValid = true;
  #bodyBytes = 0;

  /** False if the headers so far do not say where the body ends. */
  get isValid(): boolean {
    return this.#isValid;
  }

  /** Length of the body, if the framing is valid; Infinity if it is sent in chunks. */
  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** Reads a header. @param name - in lower case */
  read(name: string, value: string): void {
    if (name === "content-length") this.#note(LENGTH.test(value), Number(value));
    else if (name === "transfer-encoding") this.#note(value.toLowerCase() === CHUNKED, Infinity);
  }

  #note(isKnown: boolean, bodyBytes: number): void {
    if (this.#isGiven || !isKnown) this.#isValid = false;
    this.#isGiven = true;
    this.#bodyBytes = bodyBytes;
  }
}

/** Reports whether a request says where its body ends. */
export function isFramed(request: EngineRequest): boolean {
  const framing = new BodyFraming();
  request.forEach((name, value) => framing.read(name, value));
  return framing.isValid;
}

/**
 * Answers a request with an error, and closes its connection, since what follows cannot be read or trusted. If more has
 * arrived on the connection, it is closed without an answer.
 *
 * The answer is sent after the engine's callback. If a request is answered within it, the engine goes on
 * to the next request of the connection, even if the answer was to be the last. If a request is still
 * open, the engine closes the connection instead.
 */
export function refuseForGood(
  response: EngineResponse,
  status: 400 | 403,
  tcp: Pick<TcpConnections, "requested" | "answered">,
): void {
  let isOpen = true;
  tcp.requested();
  response.onAborted(() => {
    isOpen = false;
    tcp.answered();
  });
  inClosePhase(() => {
    if (!isOpen) return;
    tcp.answered();
    response.cork(() => sendAnswer(response, plainAnswer(status), true));
  });
}
