/**
 * An app of the portable engine: Node's HTTP server, with routes, WebSocket paths and topics.
 *
 *   socket --> HttpConnection --request--> HttpExchange --> route
 *                  | |
 *                  | +--before the first request: `connection-opening`
 *                    +--a request for an upgrade--> a WebSocket path: `upgrade`
 *                                        |
 *                                        +--none--> read again as a request that asks for no upgrade
 *
 * Node's parser decides what a request is; what it refuses is answered with 400, 408, 413 or 431. Beyond that, only
 * HTTP/1.1 and paths are served, as by the native engine.
 *
 * Runs on: main, shard.
 * Full: a client that sends a head of more than `maxHeaderBytes`, or too slowly, is answered and cut.
 */

import { createServer, ServerResponse, type IncomingMessage, type Server } from "node:http";
import { Server as NetServer, type AddressInfo, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";

import type {
  AppOptions,
  EngineApp,
  EngineBehavior,
  EngineHandler,
  EngineResponse,
  EngineText,
} from "../app-port.ts";
import { Broadcast } from "./broadcast.ts";
import { ConnectionOpening } from "./connection-opening.ts";
import { HttpConnection, refuse, responseOf, type SharedByConnections } from "./http-connection.ts";
import { HttpExchange } from "./http-exchange.ts";
import { HttpRequest } from "./http-request.ts";
import { PathTree, type FoundPath } from "./path-tree.ts";
import { Topics } from "./topics.ts";
import { TurnEnd } from "./turn-end.ts";
import { throwUncaught } from "./uncaught.ts";
import { UnreadAnswers } from "./unread-answers.ts";
import { hasKey, WebSocketMount } from "./websocket-mount.ts";

/** Where an app listens. */
export interface ListenOptions {
  /** Whether other apps of this user may listen on the same port, of which all must say so. */
  readonly reusePort?: boolean;
}

/** Time for the head of a request, and between two requests. */
const HEAD_MS = 10_000;
const KEEP_ALIVE_MS = 10_000;
/** How often slow heads are looked for. */
const CHECK_MS = 2_000;
/** How many connections an app still accepts that stops listening, and for how long: Node.js lets no more of them wait. */
const MAX_LAST_ACCEPTS = 511;
const LAST_ACCEPTS_MS = 1_000;
const ANY = "*";

/** Node's error for a head that takes too long. */
const LATE_HEAD = "ERR_HTTP_REQUEST_TIMEOUT";
const STATUS_OF_ERROR: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  [LATE_HEAD]: 408,
};
const UPGRADE_HEADER = "upgrade";
/**
 * Whether Node.js reads the body of a request for an upgrade itself. Such a request could not be read again. As it gets no
 * WebSocket, Node.js serves it as any other. But it loses what has arrived behind the body, so the connection is closed
 * after the answer.
 */
const READS_BODIES = Number.parseInt(process.versions.node, 10) >= 25;
/** A `Connection` header of a client that closes the connection after the answer. */
const LAST = /\bclose\b/i;

/** A response that knows its connection. */
class PortableResponse extends ServerResponse {
  connectionOf: HttpConnection | undefined = undefined;
}

/** An app. */
export class PortableApp implements EngineApp {
  readonly #server: Server<typeof IncomingMessage, typeof PortableResponse>;
  /** Has Node.js read requests from a socket. */
  readonly #read: (socket: Socket) => void;
  readonly #opening: ConnectionOpening;
  readonly #routes = new Map<string, PathTree<EngineHandler>>();
  readonly #mounts = new PathTree<WebSocketMount>();
  readonly #connections = new Map<Socket, HttpConnection>();
  readonly #topics = new Topics();
  readonly #turnEnd = new TurnEnd();
  readonly #unread = new UnreadAnswers();
  readonly #shared: SharedByConnections;
  readonly #listeners: SocketListeners;
  #filter: ((response: EngineResponse, change: number) => void) | undefined = undefined;
  #isClosed = false;
  /** The number of connections that it has accepted. */
  #accepted = 0;

  /** @throws SIM_ERR_TLS if the files of the certificate cannot be used, or have changed since they were checked */
  constructor({ maxHeaderBytes, tls, proxyHeaders }: AppOptions) {
    this.#opening = new ConnectionOpening({ tls, proxyHeaders }, (connection, socket) =>
      this.#ready(connection, socket),
    );
    this.#shared = {
      unread: this.#unread,
      handle: (connection, exchange) => this.#handle(connection, exchange),
      readOn: (connection) => {
        connection.readsOn();
        this.#read(connection.socket);
      },
      closed: (connection) => this.#over(connection),
    };
    this.#listeners = socketListeners((socket) => this.#connections.get(socket));
    const options = {
      ServerResponse: PortableResponse,
      maxHeaderSize: maxHeaderBytes,
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: HEAD_MS,
      // The app limits the time for a body.
      requestTimeout: 0,
      connectionsCheckingInterval: CHECK_MS,
      noDelay: true,
      ...(READS_BODIES && {
        shouldUpgradeCallback: (incoming: IncomingMessage) => !hasBody(incoming),
      }),
    };
    this.#server = createServer(options);
    // Node.js begins to read requests by a listener for connections, which may have to wait.
    const listeners = this.#server.listeners("connection");
    this.#server.removeAllListeners("connection");
    this.#read = (socket) => {
      for (const listener of listeners) Reflect.apply(listener, this.#server, [socket]);
    };
    // Node.js would drop further headers in silence. `maxHeaderSize` bounds them.
    this.#server.maxHeadersCount = 0;
    this.#server.on("connection", (socket: Socket) => this.#opened(socket));
    this.#server.on("request", (incoming, outgoing) => this.#requested(incoming, outgoing));
    this.#server.on("upgrade", (incoming, socket, head) =>
      this.#upgradeRequested(incoming, socket as Socket, head),
    );
    this.#server.on("connect", (_incoming, socket) => refuse(socket as Socket, 505));
    this.#server.on("clientError", (error, socket) => this.#refuse(error, socket as Socket));
  }

  get(path: string, handler: EngineHandler): this {
    return this.#route("GET", path, handler);
  }

  post(path: string, handler: EngineHandler): this {
    return this.#route("POST", path, handler);
  }

  put(path: string, handler: EngineHandler): this {
    return this.#route("PUT", path, handler);
  }

  patch(path: string, handler: EngineHandler): this {
    return this.#route("PATCH", path, handler);
  }

  del(path: string, handler: EngineHandler): this {
    return this.#route("DELETE", path, handler);
  }

  options(path: string, handler: EngineHandler): this {
    return this.#route("OPTIONS", path, handler);
  }

  head(path: string, handler: EngineHandler): this {
    return this.#route("HEAD", path, handler);
  }

  any(path: string, handler: EngineHandler): this {
    return this.#route(ANY, path, handler);
  }

  ws(path: string, behavior: EngineBehavior): this {
    this.#mounts.add(path, new WebSocketMount(behavior, this.#topics, this.#turnEnd));
    return this;
  }

  filter(handler: (response: EngineResponse, change: number) => void): this {
    this.#filter = handler;
    return this;
  }

  publish(topic: EngineText, message: EngineText, isBinary = false, compress = false): boolean {
    const found = this.#topics.find(topic);
    return found
      ? new Broadcast(message, isBinary, compress).deliverTo(found.subscribers, undefined)
      : false;
  }

  /**
   * Listens on a host and port.
   *
   * @param port - 0 lets the system choose a free port
   * @returns the port; rejects with the system's error if it is in use or not available
   */
  async listen(
    host: string,
    port: number,
    { reusePort = false }: ListenOptions = {},
  ): Promise<number> {
    const server = this.#server;
    return new Promise((resolve, reject) => {
      const listening = (): void => {
        server.off("error", failed);
        resolve((server.address() as AddressInfo).port);
      };
      // Node.js would keep the listener for the next attempt.
      const failed = (error: Error): void => {
        server.off("listening", listening);
        reject(error);
      };
      server.once("error", failed);
      server.listen({ host, port, exclusive: true, reusePort }, listening);
    });
  }

  /**
   * Stops listening. The connections stay open. The system resets those that wait to be accepted, so the app accepts them
   * first, until none waits or there are too many.
   *
   * @param isFull - whether there is no room for them
   */
  async stopListening(isFull = false): Promise<void> {
    if (!isFull) await this.#acceptLast();
    if (!this.#server.listening) return;
    // `close` of an HTTP server would also end what its connections do, and how they are watched.
    NetServer.prototype.close.call(this.#server);
    // The port is free when Node.js has closed its handle.
    await turn();
  }

  close(): this {
    if (this.#isClosed) return this;
    this.#isClosed = true;
    this.#server.close();
    for (const connection of this.#connections.values()) connection.closeAll();
    this.#unread.close();
    return this;
  }

  async #acceptLast(): Promise<void> {
    const last = this.#accepted + MAX_LAST_ACCEPTS;
    const untilMs = performance.now() + LAST_ACCEPTS_MS;
    let before = -1;
    // Node.js accepts one connection in each turn of the event loop, before the turn ends.
    while (before !== this.#accepted && this.#accepted < last && performance.now() < untilMs) {
      if (!this.#server.listening) return;
      before = this.#accepted;
      await turn();
    }
  }

  #route(method: string, path: string, handler: EngineHandler): this {
    let tree = this.#routes.get(method);
    if (!tree) {
      tree = new PathTree();
      this.#routes.set(method, tree);
    }
    tree.add(path, handler);
    return this;
  }

  #opened(socket: Socket): void {
    this.#accepted += 1;
    const isReady = !this.#opening.isNeeded(socket);
    if (isReady) this.#read(socket);
    const connection = new HttpConnection(socket, this.#shared);
    this.#add(connection, socket);
    if (this.#isClosed) connection.cut();
    else this.#notify(connection, 1);
    if (!isReady && !connection.isOver) connection.open(() => this.#opening.begin(connection));
  }

  #add(connection: HttpConnection, socket: Socket): void {
    this.#connections.set(socket, connection);
    socket.on("error", ignore);
    socket.on("end", this.#listeners.onEnd);
    socket.on("close", this.#listeners.onClose);
  }

  /** What comes before a connection's requests has been read. */
  #ready(connection: HttpConnection, socket: Socket): void {
    if (socket !== connection.socket) {
      this.#connections.delete(connection.socket);
      this.#add(connection, socket);
    }
    connection.ready(socket);
    this.#read(socket);
    connection.start();
  }

  #over(connection: HttpConnection): void {
    this.#connections.delete(connection.socket);
    if (!connection.isUpgraded) this.#notify(connection, -1);
  }

  #notify(connection: HttpConnection, change: number): void {
    try {
      this.#filter?.(responseOf(connection), change);
    } catch (error) {
      throwUncaught(error);
    }
  }

  #requested(incoming: IncomingMessage, outgoing: PortableResponse): void {
    const connection = this.#connections.get(incoming.socket);
    if (!connection) return;
    if (READS_BODIES && UPGRADE_HEADER in incoming.headers && hasBody(incoming)) {
      outgoing.shouldKeepAlive = false;
    }
    connection.request(this.#begin(connection, incoming, outgoing, undefined));
  }

  #begin(
    connection: HttpConnection,
    incoming: IncomingMessage,
    outgoing: PortableResponse,
    mount: WebSocketMount | undefined,
  ): HttpExchange {
    outgoing.connectionOf = connection;
    outgoing.on("drain", onDrain);
    outgoing.on("finish", onFinish);
    return new HttpExchange(connection, incoming, outgoing, mount);
  }

  #upgradeRequested(incoming: IncomingMessage, socket: Socket, head: Buffer): void {
    const connection = this.#connections.get(socket);
    if (!connection) return;
    if (connection.exchange) {
      // Node.js no longer reads requests from it, so the answers could not be told apart.
      connection.cut();
      return;
    }
    if (incoming.headers.host === undefined) {
      // Node.js checks that of other requests.
      refuse(socket, 400);
      return;
    }
    const mount = isUpgrade(incoming)
      ? this.#mounts.find(new HttpRequest(incoming, []).getUrl())
      : undefined;
    if (!mount) {
      this.#readAgain(connection, incoming, head);
      return;
    }
    // What has arrived behind the request is dropped: a client must wait for the answer.
    const outgoing = new PortableResponse(incoming);
    const { connection: given = "" } = incoming.headers;
    outgoing.shouldKeepAlive = head.length === 0 && !LAST.test(given);
    outgoing.assignSocket(socket);
    const exchange = this.#begin(connection, incoming, outgoing, mount.target);
    exchange.request.matched(mount.values);
    connection.request(exchange);
  }

  /** Lets Node.js read a request again that asks for an upgrade which is not served, as a server may ignore that. */
  #readAgain(connection: HttpConnection, incoming: IncomingMessage, behind: Buffer): void {
    const { method = "", url = "", httpVersion, rawHeaders, socket } = incoming;
    const lines = [`${method} ${url} HTTP/${httpVersion}`];
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      const name = rawHeaders[at] as string;
      if (name.toLowerCase() !== UPGRADE_HEADER) lines.push(`${name}: ${rawHeaders[at + 1]}`);
    }
    connection.readAgain(rawHeaders);
    const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
    socket.unshift(Buffer.concat([head, behind]));
    this.#read(socket);
  }

  #handle(connection: HttpConnection, exchange: HttpExchange): void {
    const { request, mount } = exchange;
    if (!exchange.isServed) {
      exchange.writeStatus("505 HTTP Version Not Supported").endWithoutBody(0, true);
      return;
    }
    if (!request.hasOneHost) {
      exchange.writeStatus("400 Bad Request").endWithoutBody(0, true);
      return;
    }
    try {
      if (mount) {
        mount.behavior.upgrade(exchange, request, mount);
      } else {
        const route = this.#find(request);
        if (!route) {
          connection.cut();
          return;
        }
        request.matched(route.values);
        route.target(exchange, request);
      }
    } catch (error) {
      throwUncaught(error);
      if (!exchange.isDone) connection.cut();
    }
    exchange.handled();
  }

  #find(request: HttpRequest): FoundPath<EngineHandler> | undefined {
    const path = request.getUrl();
    const ofMethod = this.#routes.get(request.getCaseSensitiveMethod())?.find(path);
    return ofMethod ?? this.#routes.get(ANY)?.find(path);
  }

  /** Node's parser has refused what has arrived, or waited too long for it. */
  #refuse({ code = "" }: Error & { readonly code?: string }, socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection) connection.broken(STATUS_OF_ERROR[code] ?? 400, code === LATE_HEAD);
    else socket.destroy();
  }
}

/** Reports whether a request asks for a WebSocket, and can get one. */
function isUpgrade(incoming: IncomingMessage): boolean {
  const { method, httpVersion } = incoming;
  return method === "GET" && httpVersion === "1.1" && !hasBody(incoming) && hasKey(incoming);
}

function hasBody({ headers }: IncomingMessage): boolean {
  const { "content-length": length = "0", "transfer-encoding": coding } = headers;
  return coding !== undefined || length !== "0";
}

/** Listeners of all sockets of an app, which are called with the socket as `this`. */
interface SocketListeners {
  readonly onEnd: (this: Socket) => void;
  readonly onClose: (this: Socket) => void;
}

function socketListeners(find: (socket: Socket) => HttpConnection | undefined): SocketListeners {
  return {
    onEnd() {
      find(this)?.halfClosed();
    },
    onClose() {
      find(this)?.over();
    },
  };
}

// Listeners of all responses, which are called with the response as `this`.

function onDrain(this: PortableResponse): void {
  this.connectionOf?.exchange?.drained();
}

function onFinish(this: PortableResponse): void {
  this.connectionOf?.answered();
}

// Its connection is closed, which is seen by `close`.
function ignore(): void {}
