/**
 * Passes requests to their handlers: at once, or in a later turn if this one has no time left (`transport/turn`).
 *
 *   request --the turn has time--> handled
 *      |
 *      +--it has none--> waits, and its body is collected --later turn--> handled
 *                          +--the client sends another request, or goes away--> forgotten
 *
 * Runs on: shard; one for each.
 * Full: a connection has at most one request that waits, since the engine closes it if it sends another.
 */

import { COUNTER } from "../../memory/counters-layout.ts";
import type { Counters } from "../../memory/counters.ts";
import type { HttpResponse } from "../engine/engine-types.ts";
import type { TcpConnections } from "../tcp-connections.ts";
import type { Turn } from "../turn.ts";
import { RequestBody, type SharedByBodies } from "./request-body.ts";

/**
 * Answers a request.
 *
 * @param body - the request's body, unread
 * @param isLate - whether the engine's callback for the request has returned, so that an answer must be corked
 */
export type RequestHandler = (body: RequestBody, isLate: boolean) => void;

/** What a gate needs of its shard. */
export interface RequestGateParts extends SharedByBodies {
  readonly turn: Pick<Turn, "countBody" | "takesRequest" | "later">;
  readonly tcp: Pick<TcpConnections, "requested" | "answered">;
  readonly counters: Pick<Counters, "add">;
}

/** The gate of a shard's HTTP requests. */
export class RequestGate {
  readonly #parts: RequestGateParts;

  constructor(parts: RequestGateParts) {
    this.#parts = parts;
  }

  /** Passes a request on. @param bodyBytes - the length of its body by its head; Infinity if it is sent in chunks */
  pass(response: HttpResponse, bodyBytes: number, handle: RequestHandler): void {
    const body = new RequestBody(response, bodyBytes, this.#parts);
    if (this.#parts.turn.takesRequest()) handle(body, false);
    else this.#keep(response, body, handle);
  }

  #keep(response: HttpResponse, body: RequestBody, handle: RequestHandler): void {
    const { tcp, turn, counters } = this.#parts;
    let isOpen = true;
    tcp.requested();
    counters.add(COUNTER.requestsDelayed);
    body.start();
    response.onAborted(() => {
      isOpen = false;
      body.giveUp();
      tcp.answered();
    });
    turn.later(() => {
      if (!isOpen) return;
      tcp.answered();
      handle(body, true);
    });
  }
}
