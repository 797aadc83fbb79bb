/**
 * The response to a request of a long-poll client.
 *
 * Runs on: shard.
 * Owns: the engine's response until it is sent or aborted; after that, any call on it throws.
 */

import {
  addressFullAnswer,
  limitedAnswer,
  plainAnswer,
  unavailableAnswer,
  type PreparedAnswer,
} from "../http/answer.ts";
import type { EngineResponse } from "../engine/app-port.ts";
import type { BodyResult, RequestBody } from "../http/request-body.ts";
import type { Header, RequestHead } from "../http/request-head.ts";
import type { StreamBuffers } from "../http/stream-buffers.ts";
import { sendAsRead } from "../http/unsent-answer.ts";
import type { Settled } from "../forwarding/answer.ts";
import type { TcpConnections } from "../tcp-connections.ts";

/** What all requests of a shard share. */
export interface SharedByRequests {
  readonly tcp: Pick<TcpConnections, "requested" | "answered">;
  readonly streams: StreamBuffers;
}

const ALLOW_ORIGIN: Header = ["access-control-allow-origin", "*"];
const JSON_HEADERS: readonly Header[] = [
  ALLOW_ORIGIN,
  ["content-type", "application/json; charset=utf-8"],
  ["cache-control", "no-store"],
];
const PREFLIGHT_MAX_AGE = "3600";

/** A response that is sent once. */
export class LongPollResponse {
  readonly #response: EngineResponse;
  readonly #head: RequestHead;
  readonly #isLast: (status: number) => boolean;
  readonly #body: RequestBody;
  readonly #shared: SharedByRequests;
  #isOpen = true;
  /** The answer, while it waits for its client to read. */
  #unsent: ReturnType<typeof sendAsRead> = undefined;
  /** Called if the client goes away before it receives an answer. */
  onAborted: (() => void) | undefined = undefined;

  /** @param isLast - reports whether to close the connection after an answer with a status */
  constructor(
    response: EngineResponse,
    head: RequestHead,
    body: RequestBody,
    isLast: (status: number) => boolean,
    shared: SharedByRequests,
  ) {
    this.#response = response;
    this.#head = head;
    this.#body = body;
    this.#isLast = isLast;
    this.#shared = shared;
    shared.tcp.requested();
    response.onAborted(() => {
      if (!this.#isOpen) {
        this.#unsent?.gone();
        return;
      }
      this.#settled();
      shared.tcp.answered();
      this.onAborted?.();
      this.onAborted = undefined;
    });
  }

  /** False once the request has been answered or aborted. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Reads the body. A client that sends it too slowly is answered with 408, and one whose body is given up because the
   * node holds too much with 503.
   *
   * @param done - called with the body, or with undefined if it is too large
   */
  readBody(done: (body: Uint8Array | undefined) => void): void {
    this.#body.read((result: BodyResult) => {
      if (result === "late") this.#sendLast(plainAnswer(408));
      else if (result === "shed") this.#sendLast(unavailableAnswer());
      else done(result === "large" ? undefined : result);
    });
  }

  /** Answers 200 with the status in a JSON body. */
  status(status: number): void {
    this.#json(status, `{"status":${status}}`);
  }

  /**
   * Answers a poll, or a request that opened a session.
   *
   * @param messages - a JSON array
   * @param settled - called with false if the client has gone away, or goes away before the answer is sent
   */
  batch(status: number, token: string, messages: string, settled?: Settled): void {
    const body = `{"status":${status},"token":${JSON.stringify(token)},"messages":${messages}}`;
    if (this.#isOpen) this.#json(status, body, settled);
    else settled?.(false);
  }

  /** Answers a CORS preflight. */
  preflight(requestedHeaders: string): void {
    const lines: Header[] = [
      ALLOW_ORIGIN,
      ["access-control-allow-headers", requestedHeaders],
      ["access-control-allow-methods", "get, post, options"],
      ["access-control-max-age", PREFLIGHT_MAX_AGE],
    ];
    this.#send({ status: 200, lines, body: "" });
  }

  /** Answers with an HTTP status alone. Without CORS headers, pages of other origins cannot read it. */
  fail(status: number): void {
    this.#send(plainAnswer(status));
  }

  /** Answers a client that should try again later. */
  unavailable(): void {
    this.#send(unavailableAnswer());
  }

  /** Answers a client that is over a rate limit. */
  limited(retryAfterMs: number): void {
    this.#send(limitedAnswer(retryAfterMs));
  }

  /** Answers a client whose address has all connections that it may have. */
  addressFull(): void {
    this.#send(addressFullAnswer());
  }

  /** Answers a request with an unsupported method. */
  badMethod(): void {
    this.#send({ status: 400, lines: [ALLOW_ORIGIN], body: "" });
  }

  #json(status: number, body: string, settled?: Settled): void {
    this.#send({ status: 200, lines: JSON_HEADERS, body }, this.#isLast(status), settled);
  }

  #sendLast(answer: PreparedAnswer): void {
    this.#send(answer, true);
  }

  #send(answer: PreparedAnswer, isLast = this.#isLast(answer.status), settled?: Settled): void {
    if (!this.#isOpen) return;
    const closes = isLast || this.#body.isLong;
    this.#settled();
    this.onAborted = undefined;
    const { streams, tcp } = this.#shared;
    this.#unsent = sendAsRead(this.#response, answer, streams, {
      head: this.#head,
      isLast: closes,
      isLate: true,
      onEnd: () => tcp.answered(),
      onSending: settled,
    });
  }

  #settled(): void {
    this.#isOpen = false;
    this.#body.giveUp();
  }
}
