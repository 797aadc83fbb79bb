/**
 * The server that a Simurgh server is attached to (`attachTo`), as far as its events are concerned: takes requests and
 * upgrades of our paths before any of its listeners sees them, whenever those were added. Everything else stays as it is.
 *
 *   event of the outer server --of a path of ours--> `take` of the attachment that has it
 *                             --otherwise----------> its listeners
 *
 * A listener cannot keep an event from other listeners, so `emit` of the server is replaced. Node.js treats a request as
 * an upgrade only if somebody listens for upgrades, so we add a listener that does nothing. Without it, the server would
 * serve an upgrade that is not for us, such as `Upgrade: h2c`, as a plain request. If nobody else listens for upgrades,
 * such a request is therefore handed back to the server without its `Upgrade` header.
 *
 * Runs on: main; one for each outer server, to which several servers may be attached.
 */

import http, { Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Server as HttpsServer } from "node:https";
import type { Duplex } from "node:stream";

import { invalidOption } from "../../definition-checks.ts";
import { kindOf } from "../../errors.ts";

/** A server of Node.js. */
export type OuterServer = HttpServer | HttpsServer;

/** Takes the requests of our paths. */
export interface OuterRequests {
  /** Whether requests for this target are ours. */
  isOurs(target: string): boolean;
  takeRequest(request: IncomingMessage, response: ServerResponse): void;
  /** @param head - what the client has sent behind the head of its request */
  takeUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** In Node.js 24.9 and later: whether a request with an `Upgrade` header is passed to listeners for upgrades. */
interface UpgradeDecision {
  shouldUpgradeCallback?: (this: unknown, request: IncomingMessage) => boolean;
}

type Emit = (this: OuterServer, event: string, ...values: unknown[]) => boolean;

const WEBSOCKET = "websocket";
/** Headers that belong to an upgrade, and their names in `Connection`. */
const UPGRADE_HEADERS: readonly string[] = ["upgrade", "http2-settings"];

/** Checks an `attachTo`. @throws SIM_ERR_OPTION_INVALID */
export function checkOuterServer(given: unknown): asserts given is OuterServer {
  if (given instanceof HttpServer || given instanceof HttpsServer) return;
  const got = typeof given === "object" && given !== null ? nameOf(given) : kindOf(given);
  throw invalidOption(
    `attachTo must be an http.Server or https.Server of Node.js, such as app.listen() of Express returns (HTTP/2 is not supported), got ${got}`,
  );
}

function nameOf(given: object): string {
  return (given.constructor as { readonly name?: string } | undefined)?.name ?? "an object";
}

/** Has Node.js look for upgrades. */
function keepUpgrades(): void {}

/** An outer server whose events are intercepted. */
interface Interception {
  /** Those who take requests from it: the last one that was attached comes first. */
  readonly takers: OuterRequests[];
  readonly undo: () => void;
}

/** Returns who takes requests for a target; undefined for those of the server itself. */
type FindTaker = (target: string | undefined) => OuterRequests | undefined;

const interceptions = new WeakMap<OuterServer, Interception>();

/** Takes our requests from a server until it is detached. @returns a function that detaches */
export function intercept(server: OuterServer, requests: OuterRequests): () => void {
  const { takers, undo } = interceptionOf(server);
  takers.unshift(requests);
  return () => {
    takers.splice(takers.indexOf(requests), 1);
    if (takers.length > 0) return;
    interceptions.delete(server);
    undo();
  };
}

function interceptionOf(server: OuterServer): Interception {
  const known = interceptions.get(server);
  if (known) return known;
  const takers: OuterRequests[] = [];
  const takerOf: FindTaker = (target = "") => takers.find((taker) => taker.isOurs(target));
  const begun = { takers, undo: begin(server, takerOf) };
  interceptions.set(server, begun);
  return begun;
}

/** Begins to intercept a server's events. @returns a function that undoes it */
function begin(server: OuterServer, takerOf: FindTaker): () => void {
  let isIntercepted = true;
  const original = server.emit as unknown as Emit;
  const hadOwn = Object.hasOwn(server, "emit");
  const hasOthers = (): boolean => server.listeners("upgrade").some((it) => it !== keepUpgrades);
  const upgraderOf = ({ url, headers }: IncomingMessage): OuterRequests | undefined =>
    headers.upgrade?.toLowerCase() === WEBSOCKET ? takerOf(url) : undefined;

  const emit: Emit = function emit(this: OuterServer, event, ...values) {
    if (isIntercepted) {
      if (event === "upgrade") {
        const [request, socket, head] = values as [IncomingMessage, Duplex, Buffer];
        const taker = upgraderOf(request);
        if (taker) {
          taker.takeUpgrade(request, socket, head);
          return true;
        }
        if (!hasOthers()) {
          serveAgain(server, request, socket, head);
          return true;
        }
      } else if (takesRequest(takerOf, event, values)) return true;
    }
    return original.call(this, event, ...values);
  };

  (server as { emit: unknown }).emit = emit;
  server.on("upgrade", keepUpgrades);
  const restoreDecision = decideUpgrades(server, (request, decide) => {
    return (isIntercepted && upgraderOf(request) !== undefined) || (hasOthers() && decide());
  });
  return () => {
    isIntercepted = false;
    restoreDecision();
    server.off("upgrade", keepUpgrades);
    // If somebody else has replaced it since, ours only passes events on.
    if ((server.emit as unknown) !== emit) return;
    if (hadOwn) (server as { emit: unknown }).emit = original;
    else delete (server as { emit?: unknown }).emit;
  };
}

/** Has somebody take a request, as Node.js reports it. @returns whether it is anybody's */
function takesRequest(takerOf: FindTaker, event: string, values: readonly unknown[]): boolean {
  const isExpecting = event === "checkContinue" || event === "checkExpectation";
  if (event !== "request" && !isExpecting) return false;
  const [request, response] = values as [IncomingMessage, ServerResponse];
  const taker = takerOf(request.url);
  if (!taker) return false;
  if (event === "checkExpectation") {
    response.writeHead(417).end();
    return true;
  }
  if (event === "checkContinue") response.writeContinue();
  taker.takeRequest(request, response);
  return true;
}

/** Lets a function decide which requests are upgrades, where Node.js asks for that. @returns a function that undoes it */
function decideUpgrades(
  server: OuterServer & UpgradeDecision,
  decide: (request: IncomingMessage, byServer: () => boolean) => boolean,
): () => void {
  const original = server.shouldUpgradeCallback;
  if (typeof original !== "function") return () => {};
  const ours = (request: IncomingMessage): boolean =>
    decide(request, () => original.call(server, request));
  server.shouldUpgradeCallback = ours;
  return () => {
    if (server.shouldUpgradeCallback === ours) server.shouldUpgradeCallback = original;
  };
}

/** Hands a connection back to the server, as if its request had not asked for an upgrade. */
function serveAgain(
  server: OuterServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const { method = "GET", url = "/", httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = [rawHeaders[at], rawHeaders[at + 1]];
    const key = name.toLowerCase();
    if (UPGRADE_HEADERS.includes(key)) continue;
    lines.push(`${name}: ${key === "connection" ? withoutUpgrade(value) : value}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), head]));
  const event = server instanceof HttpsServer ? "secureConnection" : "connection";
  const reader = readerOf(server, event);
  // Other listeners have seen the connection already.
  if (reader) Reflect.apply(reader, server, [socket]);
  else server.emit(event, socket as never);
}

/** Returns the listener with which Node.js reads requests from connections; undefined if the server has another one. */
function readerOf(server: OuterServer, event: string): (() => void) | undefined {
  const { _connectionListener: ofNode } = http as { readonly _connectionListener?: unknown };
  return server.listeners(event).find((listener) => listener === ofNode) as
    | (() => void)
    | undefined;
}

function withoutUpgrade(connection: string): string {
  const tokens = connection.split(",").map((token) => token.trim());
  return tokens.filter((token) => !UPGRADE_HEADERS.includes(token.toLowerCase())).join(", ");
}
