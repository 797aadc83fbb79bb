/**
 * The app's own HTTP routes, on the server's port.
 *
 * Runs on: shard: each request on the one that the engine dealt its connection to.
 * Full: a body beyond 8 MB is answered with 413, a route that does not settle within
 *       `handlerTimeoutMs` with 503; what it gives later is ignored.
 */

import { isThenable, settledInTime } from "../../callbacks/promises.ts";
import { hasCode, makeError } from "../../errors.ts";
import type { Logger } from "../../log/logger.ts";
import {
  prepareAnswer,
  sendAnswer,
  statusLine,
  type PreparedAnswer,
  type RouteResponse,
} from "./answer.ts";
import type { EngineApp, HttpResponse } from "../engine/engine-types.ts";
import { variablesOf } from "./path.ts";
import { parseQuery } from "./query.ts";
import { headerOf, readHead, WHOLE_HEAD, type RequestHead } from "./request-head.ts";

/** A request as a route sees it. */
export interface RouteRequest {
  readonly method: string;
  readonly path: string;
  /** Variables of the path. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | undefined>>;
  /** Address of the client. */
  readonly peerAddress: string;
  /** Gives a header by its name, in any case. */
  header(name: string): string | undefined;
  /** Reads the whole body. Rejects where the client goes away. */
  body(): Promise<Uint8Array>;
  /** Aborted where the client goes away, or the route has not settled in time. */
  readonly signal: AbortSignal;
}

/** Answers requests of one method and path. */
export type Route<Context> = (
  request: RouteRequest,
  context: Context,
) => RouteResponse | Promise<RouteResponse>;

type RouteCall = (request: RouteRequest) => RouteResponse | Promise<RouteResponse>;

const METHODS = ["get", "post", "put", "patch", "del", "options", "head"] as const;
const MOST_BODY_BYTES = 8_000_000;

/** Mounts routes, named as in `GET /healthz`; what matches none gets 404. */
export function mountRoutes<Context>(
  app: EngineApp,
  routes: Readonly<Record<string, Route<Context>>>,
  context: Context,
  timeoutMs: number,
  logger: Logger,
): void {
  for (const [name, route] of Object.entries(routes)) {
    const { method, path } = parseName(name);
    const variables = variablesOf(path);
    app[method](path, (response, request) => {
      const head = readHead(response, request, variables, WHOLE_HEAD);
      void run(response, head, (routeRequest) => route(routeRequest, context), timeoutMs, logger);
    });
  }
  app.any("/*", (response) => {
    response.writeStatus(statusLine(404)).end();
  });
}

function parseName(name: string): { method: (typeof METHODS)[number]; path: string } {
  const [verb = "", path = ""] = name.split(" ");
  const method = METHODS.find((known) => known === verb.toLowerCase().replace("delete", "del"));
  if (method === undefined || !path.startsWith("/")) {
    const message = `route must be a method and a path, as in "GET /healthz", got ${JSON.stringify(name)}`;
    throw makeError("SIM_ERR_DEFINITION_INVALID", message);
  }
  return { method, path };
}

async function run(
  response: HttpResponse,
  head: RequestHead,
  route: RouteCall,
  timeoutMs: number,
  logger: Logger,
): Promise<void> {
  // Registered at once: the engine takes a callback that returns without an answer only so.
  const body = new BodyReader(response);
  let answer: PreparedAnswer;
  try {
    const result: unknown = route(requestOf(head, body));
    const settled = isThenable(result) ? await settledInTime(result, timeoutMs) : result;
    answer = prepareAnswer("route", settled);
  } catch (error) {
    if (!body.isTooLarge) logger.log("routeFailed", { path: head.path, err: error });
    answer = { status: body.isTooLarge ? 413 : failureStatus(error), lines: [], body: "" };
    body.abort(error);
  }
  if (body.isAborted) return;
  response.cork(() => sendAnswer(response, answer));
}

function failureStatus(error: unknown): number {
  return hasCode(error, "SIM_ERR_HANDLER_TIMEOUT") ? 503 : 500;
}

function requestOf(head: RequestHead, body: BodyReader): RouteRequest {
  const query = parseQuery(head.query) ?? {};
  return {
    method: head.method,
    path: head.path,
    params: head.pathParams,
    query: Object.fromEntries(
      Object.entries(query).filter(
        (entry): entry is [string, string] => typeof entry[1] === "string",
      ),
    ),
    peerAddress: head.peerAddress,
    header: (name) => headerOf(head, name.toLowerCase()),
    body: () => body.whole,
    get signal() {
      return body.signal;
    },
  };
}

/** Collects a request's body from the moment it begins to arrive. */
class BodyReader {
  readonly whole: Promise<Uint8Array>;
  isAborted = false;
  isTooLarge = false;
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
    // A route that never reads its body must not make an aborted request an unhandled rejection.
    this.whole.catch(ignore);
    response.onAborted(() => {
      this.isAborted = true;
      const gone = new Error("the client went away");
      reject(gone);
      this.abort(gone);
    });
    response.onData((chunk, isLast) => {
      length += chunk.byteLength;
      if (length > MOST_BODY_BYTES) {
        this.isTooLarge = true;
        reject(new Error(`a body must have at most ${MOST_BODY_BYTES} (bytes), got more`));
        return;
      }
      // The engine takes its buffer back when this returns.
      chunks.push(Buffer.from(new Uint8Array(chunk).slice()));
      if (isLast) resolve(Buffer.concat(chunks));
    });
  }

  /** Made when a route asks for it. */
  get signal(): AbortSignal {
    if (!this.#abort) {
      this.#abort = new AbortController();
      if (this.isAborted) this.#abort.abort(new Error("the client went away"));
    }
    return this.#abort.signal;
  }

  /** Nobody waits for the route any more. */
  abort(reason: unknown): void {
    this.#abort?.abort(reason);
  }
}

function ignore(): void {}
