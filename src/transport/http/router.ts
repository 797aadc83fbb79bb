/**
 * Routes HTTP requests to handlers, by method and path.
 *
 *   request --the engine finds its path--------------------------------> handler
 *      |
 *      +--several slashes count as one, HEAD counts as GET: found------> handler
 *      |
 *      +--otherwise----------------------------------------------------> 404
 *
 * Each request passes the gate (`request-gate`) before its handler sees it.
 *
 * Runs on: shard; one for each. WebSocket upgrades are routed by the engine alone (`spellingsOf`).
 */

import type { Logger } from "../../log/logger.ts";
import { COUNTER } from "../../memory/counters-layout.ts";
import type { Counters } from "../../memory/counters.ts";
import type { EngineApp, EngineRequest, EngineResponse } from "../engine/app-port.ts";
import { plainAnswer, sendAnswer } from "./answer.ts";
import { matchSegments, segmentsOf, specificityOf, variablesOf } from "./path.ts";
import type { RequestGate, RequestHandler } from "./request-gate.ts";
import {
  headerOf,
  readHead,
  type HeadSource,
  type HeadWants,
  type RequestHead,
} from "./request-head.ts";

/** The methods that can be routed, as the engine calls them, and any method. */
export const METHODS = ["get", "post", "put", "patch", "del", "options", "head"] as const;

export type RoutedMethod = (typeof METHODS)[number] | "any";

interface ServedPath {
  readonly method: RoutedMethod;
  readonly segments: readonly string[];
  readonly specificity: string;
  readonly wants: HeadWants;
  readonly handle: RequestHandler;
}

type Found = readonly [served: ServedPath, pathParams: Readonly<Record<string, string>>];

/** What a router needs of its shard. */
export interface HttpRouterParts extends HeadSource {
  readonly app: EngineApp;
  readonly requests: RequestGate;
  readonly counters: Counters;
  readonly logger: Logger;
}

const KEY_HEADER = "sec-websocket-key";
const UNKNOWN_WANTS: HeadWants = {
  names: new Set([KEY_HEADER]),
  prefixes: [],
  isPeerWanted: false,
  isTargetWanted: false,
};
/** Maximum number of characters of a path that are logged. */
const MAX_LOGGED_LENGTH = 200;

/** The paths of a shard. */
export class HttpRouter {
  readonly #parts: HttpRouterParts;
  /** The most specific first, which is the order in which the engine looks. */
  #paths: readonly ServedPath[] = [];
  readonly #socketPaths: string[] = [];

  constructor(parts: HttpRouterParts) {
    this.#parts = parts;
    parts.app.any("/*", (response, request) => this.#serveUnmatched(response, request));
  }

  /** Serves a path, and its other spellings. */
  serve(method: RoutedMethod, path: string, wants: HeadWants, handle: RequestHandler): void {
    const [segments, specificity] = [segmentsOf(path), specificityOf(path)];
    const served = { method, segments, specificity, wants, handle };
    this.#paths = [...this.#paths, served].toSorted(bySpecificity);
    this.serveSpelling(method, path, wants, handle);
  }

  /** Serves a path in exactly this spelling. */
  serveSpelling(
    method: RoutedMethod,
    path: string,
    wants: HeadWants,
    handle: RequestHandler,
  ): void {
    const variables = variablesOf(path);
    this.#parts.app[method](path, (response, request) => {
      const head = readHead(response, request, variables, wants, this.#parts);
      this.#parts.requests.pass(response, head, handle);
    });
  }

  /** Notes the path of a socket, to be logged if a client asks for another one. */
  addSocketPath(path: string): void {
    this.#socketPaths.push(path);
  }

  #serveUnmatched(response: EngineResponse, request: EngineRequest): void {
    const [found, pathParams] =
      this.#find(request.getCaseSensitiveMethod(), request.getUrl()) ?? [];
    const wants = found?.wants ?? UNKNOWN_WANTS;
    const { requests } = this.#parts;
    const head = readHead(response, request, [], wants, this.#parts);
    if (found && pathParams) requests.pass(response, { ...head, pathParams }, found.handle);
    else {
      requests.pass(response, head, (_response, _head, { isLong }, isLate) => {
        const answer = (): void => this.#refuse(response, head, isLong);
        if (isLate) response.cork(answer);
        else answer();
      });
    }
  }

  #find(method: string, path: string): Found | undefined {
    const segments = segmentsOf(path);
    for (const wanted of methodsFor(method)) {
      for (const served of this.#paths) {
        if (served.method !== wanted) continue;
        const params = matchSegments(served.segments, segments);
        if (params) return [served, params];
      }
    }
    return undefined;
  }

  #refuse(response: EngineResponse, head: RequestHead, isLast: boolean): void {
    if (this.#isForSocket(head)) {
      const { counters, logger } = this.#parts;
      if (counters.isFirst(COUNTER.socketsNotFound)) {
        const path = head.path.slice(0, MAX_LOGGED_LENGTH);
        logger.log("socketNotFound", { path, sockets: this.#socketPaths });
      }
    }
    sendAnswer(response, plainAnswer(404), isLast);
  }

  #isForSocket(head: RequestHead): boolean {
    if (this.#socketPaths.length === 0) return false;
    if (headerOf(head, KEY_HEADER) !== undefined) return true;
    const last = segmentsOf(head.path).at(-1);
    return this.#socketPaths.some((path) => segmentsOf(path).at(-1) === last);
  }
}

/** Returns the methods whose paths may serve a request, in order. */
function methodsFor(method: string): readonly RoutedMethod[] {
  if (method === "HEAD") return ["head", "get", "any"];
  const known = METHODS.find((each) => nameOf(each) === method);
  return known === undefined ? ["any"] : [known, "any"];
}

function nameOf(method: RoutedMethod): string {
  return method === "del" ? "DELETE" : method.toUpperCase();
}

function bySpecificity(a: ServedPath, b: ServedPath): number {
  if (a.specificity === b.specificity) return 0;
  return a.specificity < b.specificity ? -1 : 1;
}
