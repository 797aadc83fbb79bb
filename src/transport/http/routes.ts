/**
 * HTTP routes on the server's port, defined by the app or by its transports.
 *
 * Runs on: the shard to which the engine assigned the request's connection.
 * Full: a body of more than 8 MB is answered with 413. A route that does not settle within
 *       `handlerTimeoutMs` is answered with 503, and its later result is ignored.
 */

import { isThenable, settledInTime } from "../../callbacks/promises.ts";
import { invalid } from "../../definition-checks.ts";
import { hasCode } from "../../errors.ts";
import type { Logger } from "../../log/logger.ts";
import type { ResolvedOptions } from "../../options/options.ts";
import type { EngineApp, HttpResponse } from "../engine/engine-types.ts";
import {
  prepareAnswer,
  sendAnswer,
  statusLine,
  type PreparedAnswer,
  type RouteResponse,
} from "./answer.ts";
import { variablesOf } from "./path.ts";
import { parseQuery } from "./query.ts";
import { headerOf, readHead, WHOLE_HEAD, type RequestHead } from "./request-head.ts";
import { ResponseStream, type StreamedResponse } from "./response-stream.ts";

/** A request, as seen by a route. */
export interface RouteRequest {
  readonly method: string;
  readonly path: string;
  /** Variables of the path. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | undefined>>;
  /** Address of the client. */
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

const METHODS = ["get", "post", "put", "patch", "del", "options", "head"] as const;
const MAX_BODY_BYTES = 8_000_000;

/** The routes of a shard. Requests that match none are answered with 404. */
export class Routes<Context> {
  readonly #app: EngineApp;
  readonly #context: Context;
  readonly #handlerTimeoutMs: number;
  readonly #logger: Logger;
  readonly #names = new Set<string>();

  constructor(
    app: EngineApp,
    context: Context,
    { handlerTimeoutMs }: Pick<ResolvedOptions, "handlerTimeoutMs">,
    logger: Logger,
  ) {
    this.#app = app;
    this.#context = context;
    this.#handlerTimeoutMs = handlerTimeoutMs;
    this.#logger = logger;
    app.any("/*", (response) => {
      response.writeStatus(statusLine(404)).end();
    });
  }

  /**
   * Adds a route.
   *
   * @param name - method and path, such as `GET /healthz`
   * @throws SIM_ERR_DEFINITION_INVALID if the name is invalid or the route exists already
   */
  add(name: string, route: Route<Context>): void {
    const { method, path } = parseName(name);
    const key = `${method} ${path}`;
    if (this.#names.has(key)) throw invalid(`route must be defined once, got ${name} again`);
    this.#names.add(key);
    const variables = variablesOf(path);
    this.#app[method](path, (response, request) => {
      void this.#run(response, readHead(response, request, variables, WHOLE_HEAD), route);
    });
  }

  async #run(response: HttpResponse, head: RequestHead, route: Route<Context>): Promise<void> {
    // Created first, because without an abort handler the engine expects an answer before the
    // callback returns.
    const body = new BodyReader(response);
    let answer: PreparedAnswer;
    let streamed: StreamedResponse | undefined;
    try {
      const result: unknown = route(new IncomingRequest(head, body), this.#context);
      const isLater = isThenable(result);
      const settled = isLater ? await settledInTime(result, this.#handlerTimeoutMs) : result;
      answer = prepareAnswer("route", settled);
      if (isStreamed(settled)) streamed = settled;
    } catch (error) {
      if (!body.isTooLarge) this.#logger.log("routeFailed", { path: head.path, err: error });
      answer = { status: body.isTooLarge ? 413 : failureStatus(error), lines: [], body: "" };
      body.abort(error);
    }
    if (body.isAborted) return;
    if (!streamed) {
      response.cork(() => sendAnswer(response, answer));
      return;
    }
    const out = new ResponseStream(response, head.path, this.#logger);
    body.onGone = (): void => out.gone();
    out.begin(answer, streamed);
  }
}

function parseName(name: string): { method: (typeof METHODS)[number]; path: string } {
  const [verb = "", path = ""] = name.split(" ");
  const method = METHODS.find((known) => known === verb.toLowerCase().replace("delete", "del"));
  if (method !== undefined && path.startsWith("/")) return { method, path };
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
    this.peerAddress = head.peerAddress;
    this.#body = body;
  }

  header(name: string): string | undefined {
    return headerOf(this.head, name.toLowerCase());
  }

  async body(): Promise<Uint8Array> {
    return this.#body.whole;
  }

  get signal(): AbortSignal {
    return this.#body.signal;
  }
}

/** Collects a request's body as it arrives, whether the route reads it or not. */
class BodyReader {
  readonly whole: Promise<Uint8Array>;
  isAborted = false;
  isTooLarge = false;
  /** Called when the client goes away. */
  onGone: (() => void) | undefined = undefined;
  #abort: AbortController | undefined;

  constructor(response: HttpResponse) {
    const chunks: Buffer[] = [];
    let length = 0;
    let resolve: (body: Uint8Array) => void = ignore;
    let reject: (error: Error) => void = ignore;
    this.whole = new Promise((resolveWhole, rejectWhole) => {
      resolve = resolveWhole;
      reject = rejectWhole;
    });
    // If the route never reads the body, an aborted request must not cause an unhandled rejection.
    this.whole.catch(ignore);
    response.onAborted(() => {
      this.isAborted = true;
      const gone = new Error("the client went away");
      reject(gone);
      this.abort(gone);
      this.onGone?.();
    });
    response.onData((chunk, isLast) => {
      length += chunk.byteLength;
      if (length > MAX_BODY_BYTES) {
        this.isTooLarge = true;
        reject(new Error(`a body must have at most ${MAX_BODY_BYTES} (bytes), got more`));
        return;
      }
      // The engine reuses its buffer when this returns.
      chunks.push(Buffer.from(new Uint8Array(chunk).slice()));
      if (isLast) resolve(Buffer.concat(chunks));
    });
  }

  /** The abort signal, created on first use. */
  get signal(): AbortSignal {
    if (!this.#abort) {
      this.#abort = new AbortController();
      if (this.isAborted) this.#abort.abort(new Error("the client went away"));
    }
    return this.#abort.signal;
  }

  /** Aborts the signal, because the route's result is no longer needed. */
  abort(reason: unknown): void {
    this.#abort?.abort(reason);
  }
}

function ignore(): void {}
