/**
 * Passes requests to their handlers: at once, or in a later turn if this one has no time left (`transport/turn`).
 *
 *   request --it has gone around the server that this one is attached to, or its client is gone--> 403
 *      |
 *      +--it does not say where its body ends--> 400
 *      |
 *      +--the turn has time--> handled
 *      |
 *      +--it has none--> waits, and its body is collected --later turn--> handled; in the close phase, if its
 *                          |                                                  connection may be closed after the answer
 *                          +--the client sends another request, or goes away--> forgotten
 *
 * Runs on: shard; one for each.
 * Full: a connection has at most one request that waits, since the engine closes it if it sends another.
 */

import { COUNTER } from "../../memory/counters-layout.ts";
import type { Counters } from "../../memory/counters.ts";
import { inClosePhase } from "../engine/close-phase.ts";
import type { EngineResponse } from "../engine/app-port.ts";
import type { TcpConnections } from "../tcp-connections.ts";
import type { Turn } from "../turn.ts";
import { refuseForGood } from "./framing.ts";
import { RequestBody, type SharedByBodies } from "./request-body.ts";
import type { RequestHead } from "./request-head.ts";

/**
 * Answers a request.
 *
 * @param body - the request's body, unread
 * @param isLate - whether the engine's callback for the request has returned, so that an answer must be corked
 */
export type RequestHandler = (
  response: EngineResponse,
  head: RequestHead,
  body: RequestBody,
  isLate: boolean,
) => void;

/** What a gate needs of its shard. */
export interface RequestGateParts extends SharedByBodies {
  readonly turn: Pick<Turn, "countBody" | "takesRequest" | "takesUpgrade" | "later">;
  readonly tcp: Pick<TcpConnections, "requested" | "answered">;
  readonly counters: Pick<Counters, "add">;
}

/** The gate of a shard's HTTP requests. */
export class RequestGate {
  readonly #parts: RequestGateParts;

  constructor(parts: RequestGateParts) {
    this.#parts = parts;
  }

  /**
   * Passes a request on, if it is admitted and says where its body ends.
   *
   * @param isUpgrade - whether it is a request for a WebSocket
   */
  pass(
    response: EngineResponse,
    head: RequestHead,
    handle: RequestHandler,
    isUpgrade = false,
  ): void {
    if (!head.isAdmitted || !head.isFramed) {
      refuseForGood(response, head.isAdmitted ? 400 : 403, this.#parts.tcp);
      return;
    }
    const body = new RequestBody(response, head.bodyBytes, this.#parts);
    const { turn } = this.#parts;
    if (isUpgrade ? turn.takesUpgrade() : turn.takesRequest()) handle(response, head, body, false);
    else this.#keep(response, head, body, handle, isUpgrade);
  }

  #keep(
    response: EngineResponse,
    head: RequestHead,
    body: RequestBody,
    handle: RequestHandler,
    isUpgrade: boolean,
  ): void {
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
    const run = (): void => {
      if (!isOpen) return;
      tcp.answered();
      handle(response, head, body, true);
    };
    // A request for a WebSocket may be refused for good, by a node that drains.
    if (!head.isLast && !body.isLong && !isUpgrade) {
      turn.later(run);
      return;
    }
    const runOrWait = (): void => {
      if (!isOpen || turn.takesRequest()) run();
      else inClosePhase(runOrWait);
    };
    inClosePhase(runOrWait);
  }
}
