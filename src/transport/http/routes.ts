/**
 * HTTP routes on the server's port, defined by the app or by its transports.
 *
 * Runs on: the shard that the engine gave the request's connection to.
 * Full: a body of more than `maxBodyBytes` is answered with 413. A route that does not settle within
 *       `handlerTimeoutMs` is answered with 503, and its later result is ignored. A body that takes
 *       longer than `bodyTimeoutMs` is answered with 408, and one that is given up because of `maxBufferBytes`
 *       with 503.
 *
 * A GET route also answers HEAD, without a body, unless there is a HEAD route.
 *
 * Ends: a shard that ends waits for requests that are not answered (`allAnswered`), but not for streamed answers.
 */

import { LiveCount } from "../../callbacks/live-count.ts";
import { isThenable, settledInTime } from "../../callbacks/promises.ts";
import { checkFunction, checkPath, checkPattern, invalid } from "../../definition-checks.ts";
import { hasCode } from "../../errors.ts";
import type { Logger } from "../../log/logger.ts";
import type { ResolvedOptions } from "../../options/options.ts";
import type { EngineResponse } from "../engine/app-port.ts";
import {
  hasNoBody,
  plainAnswer,
  prepareAnswer,
  sendHead,
  unavailableAnswer,
  type PreparedAnswer,
  type RouteResponse,
} from "./answer.ts";
import type { TcpConnections } from "../tcp-connections.ts";
import { segmentsOf } from "./path.ts";
import { parseQuery } from "./query.ts";
import type { BodyFault, RequestBody } from "./request-body.ts";
import { headerOf, WHOLE_HEAD, type RequestHead } from "./request-head.ts";
import { ResponseStream, type StreamedResponse } from "./response-stream.ts";
import { METHODS, type HttpRouter } from "./router.ts";
import type { StreamBuffers } from "./stream-buffers.ts";
import { sendAsRead, sendInPhase } from "./unsent-answer.ts";

/** A request, as seen by a route. */
export interface RouteRequest {
  /** The method as sent. A GET route also gets HEAD, whose answer is sent without its body. */
  readonly method: string;
  readonly path: string;
  /** Variables of the path. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | undefined>>;
  /** The query as sent, without its question mark. For names that it has several times: `new URLSearchParams(search)`. */
  readonly search: string;
  /** Address of the client, or of the nearest proxy that `trustProxy` does not name. */
  readonly peerAddress: string;
  /** Returns a header by its case-insensitive name. */
  header(name: string): string | undefined;
  /** Reads the whole body. Rejects if the client goes away. */
  body(): Promise<Uint8Array>;
  /** Aborted if the client goes away or the route does not settle in time. */
  readonly signal: AbortSignal;
}

/** The result of a route: a whole response or a streamed one. */
export type RouteResult = RouteResponse | StreamedResponse;

/** Answers requests of one method and path. */
export type Route<Context> = (
  request: RouteRequest,
  context: Context,
) => RouteResult | Promise<RouteResult>;

/** The answer to a request without a whole body. */
const FAULT_ANSWER: Readonly<Record<BodyFault, PreparedAnswer>> = {
  large: plainAnswer(413),
  late: plainAnswer(408),
  shed: unavailableAnswer(),
};
const FAULT_MESSAGE: Readonly<Record<BodyFault, string>> = {
  large: "a body must have at most maxBodyBytes (bytes), and must not be sent in tiny chunks",
  late: "the client sent its body too slowly",
  shed: "the node holds too many bytes (maxBufferBytes)",
};
const HEAD = "HEAD";

/** What the routes need of their shard. */
export interface RoutesParts<Context> {
  readonly router: Pick<HttpRouter, "serve">;
  readonly context: Context;
  readonly options: Pick<ResolvedOptions, "handlerTimeoutMs">;
  readonly logger: Logger;
  readonly tcp: Pick<TcpConnections, "requested" | "answered">;
  readonly streams: StreamBuffers;
}

/** The routes of a shard. */
export class Routes<Context> {
  readonly #parts: RoutesParts<Context>;
  readonly #names = new Set<string>();
  /** Requests whose answers have neither been sent nor begun to stream. */
  readonly #unanswered = new LiveCount();
  /** The body of the request whose route is being called. */
  #called: BodyReader | undefined = undefined;

  constructor(parts: RoutesParts<Context>) {
    this.#parts = parts;
  }

  /**
   * Adds a route.
   *
   * @param name - method and path, such as `GET /healthz`
   * @throws SIM_ERR_DEFINITION_INVALID if the name is invalid, the route is no function, or it exists already
   */
  add(name: string, route: Route<Context>): void {
    const { method, path } = parseName(name);
    checkFunction(`route ${name}`, route);
    const key = `${method} ${segmentsOf(path).join("/")}`;
    if (this.#names.has(key)) throw invalid(`route must be defined once, got ${name} again`);
    this.#names.add(key);
    this.#parts.router.serve(method, path, WHOLE_HEAD, (response, head, body) => {
      void this.#run(response, head, body, route);
    });
  }

  /** Waits until all requests are answered, at most for a time (ms). */
  async allAnswered(limitMs: number): Promise<void> {
    await this.#unanswered.allGone(limitMs);
  }

  /** Continues after main has ended a route: its request gets no answer. */
  recover(): void {
    const body = this.#called;
    if (!body) return;
    this.#called = undefined;
    body.onGone = (): void => this.#parts.tcp.answered();
    this.#unanswered.gone();
  }

  async #run(
    response: EngineResponse,
    head: RequestHead,
    given: RequestBody,
    route: Route<Context>,
  ): Promise<void> {
    // First of all: without an abort handler, the engine expects an answer before the callback returns.
    const { context, options, logger, tcp, streams } = this.#parts;
    const body = new BodyReader(response, given);
    tcp.requested();
    this.#unanswered.born();
    const onEnd = (): void => {
      tcp.answered();
      this.#unanswered.gone();
    };
    body.onGone = onEnd;
    let isLate = false;
    let answer: PreparedAnswer;
    let streamed: StreamedResponse | undefined;
    try {
      this.#called = body;
      const result: unknown = route(new IncomingRequest(head, body), context);
      this.#called = undefined;
      const isLater = isThenable(result);
      isLate = isLater;
      // Data arrives only after this callback returned, and then the route may still ask for it.
      if (isLater) body.start();
      else body.answered();
      const settled = isLater
        ? await Promise.race([settledInTime(result, options.handlerTimeoutMs), body.failed])
        : result;
      answer = prepareAnswer("route", settled);
      if (isStreamed(settled)) streamed = settled;
    } catch (error) {
      this.#called = undefined;
      const { fault } = body;
      answer = fault === undefined ? plainAnswer(failureStatus(error)) : FAULT_ANSWER[fault];
      const isOfRoute = !body.explains(error);
      body.abort(error);
      // Logged in the next microtask, so that the answer comes first.
      if (isOfRoute)
        queueMicrotask(() => logger.log("routeFailed", { path: head.path, err: error }));
    }
    if (body.isAborted) return;
    given.giveUp();
    const isLast = body.fault !== undefined || given.isLong;
    const sending = { head, isLast, isLate, onEnd };
    if (!streamed) {
      const unsent = sendAsRead(response, answer, streams, sending);
      body.onGone = (): void => unsent?.gone();
      return;
    }
    if (head.method === HEAD || hasNoBody(answer.status)) {
      const postponed = sendInPhase(sending, () => {
        onEnd();
        response.cork(() => sendHead(response, answer, isLast));
        return undefined;
      });
      body.onGone = (): void => postponed?.gone();
      return;
    }
    this.#unanswered.gone();
    const out = new ResponseStream(response, head, logger, streams, () => tcp.answered());
    body.onGone = (): void => out.gone();
    out.begin(answer, streamed, isLast);
  }
}

function parseName(name: string): { method: (typeof METHODS)[number]; path: string } {
  const [verb = "", path = "", ...rest] = name.split(" ");
  const method = METHODS.find((known) => known === verb.toLowerCase().replace("delete", "del"));
  if (method !== undefined && path.startsWith("/") && rest.length === 0) {
    checkPath(`path of route ${name}`, path);
    checkPattern(`path of route ${name}`, path);
    return { method, path };
  }
  const got = JSON.stringify(name);
  throw invalid(`route must be a method and a path, as in "GET /healthz", got ${got}`);
}

function isStreamed(answer: unknown): answer is StreamedResponse {
  return typeof (answer as Partial<StreamedResponse>).stream === "function";
}

function failureStatus(error: unknown): number {
  return hasCode(error, "SIM_ERR_HANDLER_TIMEOUT") ? 503 : 500;
}

/** The request passed to a route, with its head. */
export class IncomingRequest implements RouteRequest {
  readonly head: RequestHead;
  readonly method: string;
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly search: string;
  readonly peerAddress: string;
  readonly #body: BodyReader;

  constructor(head: RequestHead, body: BodyReader) {
    this.head = head;
    this.method = head.method;
    this.path = head.path;
    this.params = head.pathParams;
    const query = Object.entries(parseQuery(head.query) ?? {});
    this.query = Object.fromEntries(
      query.filter((entry): entry is [string, string] => typeof entry[1] === "string"),
    );
    this.search = head.query;
    this.peerAddress = head.peerAddress;
    this.#body = body;
  }

  header(name: string): string | undefined {
    return headerOf(this.head, name.toLowerCase());
  }

  async body(): Promise<Uint8Array> {
    this.#body.start();
    return this.#body.whole;
  }

  get signal(): AbortSignal {
    return this.#body.signal;
  }
}

/**
 * Reads a request's body for a route that asks for it or is asynchronous. Otherwise the engine must not be asked for the
 * body: it would then not close the connection when it is idle.
 */
class BodyReader {
  readonly whole: Promise<Uint8Array>;
  /** Rejects if the body is too large, late, or shed. */
  readonly failed: Promise<never>;
  readonly #body: RequestBody;
  #isStarted = false;
  #resolve: (body: Uint8Array) => void = ignore;
  #reject: (error: Error) => void = ignore;
  #fail: (error: Error) => void = ignore;
  /** The end of the body and of the signal, once the client has gone away. */
  #gone: Error | undefined = undefined;
  fault: BodyFault | undefined = undefined;
  /** Called when the client goes away. */
  onGone: (() => void) | undefined = undefined;
  #abort: AbortController | undefined;

  constructor(response: EngineResponse, body: RequestBody) {
    this.#body = body;
    this.whole = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    // If the route never reads the body, an aborted request must not cause an unhandled rejection.
    this.whole.catch(ignore);
    this.failed.catch(ignore);
    response.onAborted(() => {
      body.giveUp();
      this.#gone = new Error("the client went away");
      this.#reject(this.#gone);
      this.abort(this.#gone);
      this.onGone?.();
    });
  }

  /** Whether the client has gone away. */
  get isAborted(): boolean {
    return this.#gone !== undefined;
  }

  /** Reports whether a route failed only because of its client: there is no whole body, or the client has gone away. */
  explains(error: unknown): boolean {
    return this.fault !== undefined || (this.#gone !== undefined && error === this.#gone);
  }

  /** Rejects the body, unless the route has asked for it: the request is answered now. */
  answered(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#reject(new Error("the body must be read before the request is answered"));
  }

  /** Starts to read. Must be called before the engine's callback returns; more calls have no effect. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#body.read((result) => {
      if (typeof result !== "string") {
        this.#resolve(result);
        return;
      }
      this.fault = result;
      const error = new Error(FAULT_MESSAGE[result]);
      this.#reject(error);
      this.#fail(error);
    });
  }

  /** The abort signal, created on first use. */
  get signal(): AbortSignal {
    if (!this.#abort) {
      this.#abort = new AbortController();
      if (this.#gone) this.#abort.abort(this.#gone);
    }
    return this.#abort.signal;
  }

  /** Aborts the signal, because the route's result is no longer needed. */
  abort(reason: unknown): void {
    this.#abort?.abort(reason);
  }
}

function ignore(): void {}
