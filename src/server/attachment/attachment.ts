/**
 * A server that is attached to another one, which has the port (`attachTo`): passes requests and upgrades of our paths
 * on to the shards.
 *
 *   client --outer server (`outer-server`)--> a connection of its own for each request, to a port of the loopback
 *            PROXY header: the client's address | head, from `rawHeaders` | body  -->  our listener --> a shard
 *                                               <-- answer, or 101 -------------
 *
 * The port demands a secret of this process, so that no other program can pass as the outer server. A client cannot
 * either: its own copy of the secret's header is not passed on, and what follows its head or body reaches no shard
 * before a 101. After any other answer the connection to the shard ends, so that nothing a client sends can be taken for
 * another request, or for a PROXY header in front of one.
 *
 * Runs on: main.
 * Owns: the connections to the loopback port, and the clients' connections after their upgrade.
 * Order: bytes are passed on as they come. Each direction has its own backpressure and its own end. Requests of one
 *        connection are passed on one after the other (`pipelined-requests`).
 * Full: while our listener does not listen (no room, or a node that drains), and if the system has no descriptor or port
 *       for a connection to it, requests get 503. If a shard closes a connection without an answer, so does the client's.
 *       A client that reads nothing of its last bytes for 30 s is cut.
 */

import { randomBytes } from "node:crypto";
import {
  request as httpRequest,
  STATUS_CODES,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Server as TlsServer, TLSSocket } from "node:tls";

import { RETRY_AFTER_S } from "../../protocol/reserved.ts";
import type { NodeListener } from "../../transport/engine/listener-port.ts";
import { matchSegments, segmentsOf } from "../../transport/http/path.ts";
import { ATTACHED_HEADER } from "../../transport/http/trusted-proxies.ts";
import { intercept, type OuterRequests, type OuterServer } from "./outer-server.ts";
import { PipelinedRequests } from "./pipelined-requests.ts";
import { proxyHeader } from "./proxy-header.ts";

/** The listener that requests are passed on to. While it does not listen, another program could have its port. */
type LoopbackListener = Pick<NodeListener, "isListening">;

const LOOPBACK = "127.0.0.1";
const SECRET_BYTES = 32;
/** Time in which a client must read some of what is left for it. */
const LINGER_MS = 30_000;
/** What a client may send before its request is answered, in addition to what the system keeps. */
const MAX_EARLY_BYTES = 65_536;
/** Headers of one connection (RFC 9110 §7.6.1), and one that the outer server has dealt with. */
const OWN_HEADERS: readonly string[] = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "upgrade",
  "expect",
];
const UNAVAILABLE = { status: 503, headers: ["Retry-After", RETRY_AFTER_S] };
const BAD_REQUEST = { status: 400, headers: [] };

interface OwnAnswer {
  readonly status: number;
  readonly headers: readonly string[];
}

/** An attachment to an outer server. */
export class Attachment implements OuterRequests {
  /** What requests to the loopback port must carry. */
  readonly secret = randomBytes(SECRET_BYTES).toString("base64url");
  readonly #server: OuterServer;
  readonly #pipelined = new PipelinedRequests();
  #paths: readonly (readonly string[])[] = [];
  #loopback: { readonly port: number; readonly listener: LoopbackListener } | undefined;
  #detach: (() => void) | undefined;

  constructor(server: OuterServer) {
    this.#server = server;
  }

  /** Address of the outer server, or the path of its socket; empty while it does not listen. */
  get host(): string {
    const address = this.#server.address();
    return typeof address === "string" ? address : (address?.address ?? "");
  }

  /** Scheme of the outer server. */
  get scheme(): "http" | "https" {
    return this.#server instanceof TlsServer ? "https" : "http";
  }

  /** Port of the outer server; 0 while it does not listen on one. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Sets which paths are ours, as the app's newest thread has reported them. */
  serve(paths: readonly string[]): void {
    this.#paths = paths.map(segmentsOf);
  }

  /** Takes requests from now on. */
  begin(port: number, listener: LoopbackListener): void {
    this.#loopback = { port, listener };
    this.#detach = intercept(this.#server, this);
  }

  /** Leaves all requests to the outer server's listeners again. */
  end(): void {
    this.#detach?.();
    this.#detach = undefined;
  }

  isOurs(target: string): boolean {
    if (!target.startsWith("/")) return false;
    const query = target.indexOf("?");
    const segments = segmentsOf(query < 0 ? target : target.slice(0, query));
    return this.#paths.some((pattern) => matchSegments(pattern, segments) !== undefined);
  }

  takeRequest(request: IncomingMessage, response: ServerResponse): void {
    this.#pipelined.add(request.socket, (over) => this.#passRequest(request, response, over));
  }

  #passRequest(request: IncomingMessage, response: ServerResponse, over: () => void): void {
    const client = request.socket;
    if (isGone(client)) {
      client.destroy();
      over();
      return;
    }
    const headers = headersOf(request, [...OWN_HEADERS, ATTACHED_HEADER]);
    const passed = this.#pass(request, [...headers, "Connection", "close"]);
    if ("status" in passed) {
      response.writeHead(passed.status, [...passed.headers]).end();
      over();
      return;
    }
    keepOpen(client, response, this.#server.timeout);
    // Node.js does not close a response that waits for an earlier one of the same connection.
    const abandon = (): void => void passed.destroy();
    client.once("close", abandon);
    passed.once("close", () => {
      client.off("close", abandon);
      over();
    });
    let isAnswered = false;
    passed.on("error", (error: NodeJS.ErrnoException) => {
      // A client that sends more than a shard reads: the answer is on its way.
      if (isAnswered) return;
      isAnswered = true;
      if (isUnconnected(error)) refuse(response, UNAVAILABLE);
      else response.destroy();
    });
    passed.on("response", (answer) => {
      isAnswered = true;
      request.unpipe(passed);
      const lines = headersOf(answer, OWN_HEADERS, ["transfer-encoding"]);
      // The rest of the body is not read, so the connection must end.
      if (!request.complete) lines.push("Connection", "close");
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, lines);
      answer.on("error", () => response.destroy());
      answer.pipe(response);
    });
    response.on("close", () => passed.destroy());
    request.pipe(passed);
  }

  takeUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Sockets of Node.js, plain or TLS, unless somebody has injected another stream.
    const client = socket as Socket;
    // Behind a request that is not answered, the answer to this one could not be told from that.
    if (isGone(client) || this.#pipelined.isUnderway(client)) {
      client.destroy();
      return;
    }
    const early = new EarlyBytes(client, head);
    client.on("error", () => client.destroy());
    limitSilence(client, 0);
    const headers = headersOf(request, ["expect", "content-length", ATTACHED_HEADER]);
    const passed = isValidUpgrade(request) ? this.#pass(request, headers) : BAD_REQUEST;
    const answerOwn = (answer: OwnAnswer): void => {
      const lines = [...answer.headers, "Content-Length", "0", "Connection", "close"];
      client.write(headOf({ statusCode: answer.status }, lines), "latin1");
      early.drop();
      endSoon(client);
    };
    if ("status" in passed) {
      answerOwn(passed);
      return;
    }
    let isAnswered = false;
    client.once("close", () => passed.destroy());
    client.once("end", () => {
      if (!isAnswered) client.destroy();
    });
    passed.on("error", (error: NodeJS.ErrnoException) => {
      if (isAnswered) return;
      isAnswered = true;
      if (isUnconnected(error)) answerOwn(UNAVAILABLE);
      else client.destroy();
    });
    passed.on("upgrade", (answer, shard: Socket, first: Buffer) => {
      isAnswered = true;
      client.write(headOf(answer, answer.rawHeaders), "latin1");
      if (first.length > 0) client.write(first);
      early.release(shard);
      join(client, shard);
    });
    passed.on("response", (answer) => {
      isAnswered = true;
      early.drop();
      const lines = headersOf(answer, OWN_HEADERS, ["transfer-encoding"]);
      client.write(headOf(answer, [...lines, "Connection", "close"]), "latin1");
      answer.pipe(client, { end: false });
      answer.on("end", () => endSoon(client));
      answer.on("error", () => client.destroy());
    });
    passed.end();
  }

  /** Begins to pass a request on. @returns the answer to one that cannot be */
  #pass(request: IncomingMessage, headers: readonly string[]): ClientRequest | OwnAnswer {
    const loopback = this.#loopback;
    if (loopback?.listener.isListening !== true) return UNAVAILABLE;
    const { method, url, socket } = request;
    const scheme = socket instanceof TLSSocket ? "https" : "http";
    const hasHost = request.headers.host !== undefined;
    const lines = [...headers, ATTACHED_HEADER, `${this.secret} ${scheme}`];
    // As HTTP/1.0 allows.
    if (!hasHost) lines.push("Host", "localhost");
    try {
      return httpRequest({
        method,
        path: url,
        headers: lines,
        createConnection: () => {
          const shard = connect({ host: LOOPBACK, port: loopback.port, noDelay: true });
          // A client of a Unix domain socket is on this machine.
          shard.write(proxyHeader(socket.remoteAddress ?? LOOPBACK));
          return shard;
        },
      });
    } catch {
      // Node.js refuses to send some characters that it has read.
      return BAD_REQUEST;
    }
  }
}

/** The bytes that a client sends before its upgrade is decided. They are held, so that its end is noticed. */
class EarlyBytes {
  readonly #client: Socket;
  readonly #held: Buffer[] = [];
  #bytes = 0;
  readonly #hold = (bytes: Buffer): void => {
    this.#held.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_EARLY_BYTES) this.#client.pause();
  };

  constructor(client: Socket, head: Buffer) {
    this.#client = client;
    if (head.length > 0) this.#hold(head);
    client.on("data", this.#hold);
  }

  /** Passes them on, and holds no more. */
  release(shard: Socket): void {
    this.#client.off("data", this.#hold);
    for (const bytes of this.#held.splice(0)) shard.write(bytes);
  }

  /** Drops them, and all that follow. */
  drop(): void {
    this.#client.off("data", this.#hold);
    this.#held.length = 0;
  }
}

/** Joins a client and its shard until both directions have ended. */
function join(client: Socket, shard: Socket): void {
  shard.setTimeout(0);
  client.pipe(shard);
  // Not closed with the shard's side: the client may not have read everything yet.
  shard.pipe(client, { end: false });
  shard.once("end", () => endSoon(client));
  shard.on("error", () => client.destroy());
  shard.once("close", () => {
    client.unpipe(shard);
    endSoon(client);
  });
  client.once("close", () => shard.destroy());
}

/** Ends a client's connection when it has read everything, or if it stops to read. */
function endSoon(client: Socket): void {
  if (client.destroyed) return;
  // What it still sends is for nobody, but its end must be noticed.
  client.resume();
  if (client.writableEnded) return;
  limitSilence(client, LINGER_MS);
  client.end(() => {
    // A connection that is closed with unread bytes is reset, and the client may lose the last bytes of ours.
    const late = setTimeout(() => client.destroy(), LINGER_MS).unref();
    client.once("close", () => clearTimeout(late));
  });
}

/** Keeps the outer server's time limit from cutting a poll, which may wait longer. */
function keepOpen(client: Socket, response: ServerResponse, timeoutMs: number): void {
  if (timeoutMs === 0) return;
  client.setTimeout(0);
  // Before the listener of Node.js, which sets the limit for kept connections.
  response.prependListener("finish", () => client.setTimeout(timeoutMs));
}

/** Cuts a client after a time without data in either direction (ms); 0: never. */
function limitSilence(client: Socket, ms: number): void {
  // A stream that somebody has injected into the server may have no timer.
  if ("setTimeout" in client) client.setTimeout(ms, ms === 0 ? undefined : () => client.destroy());
}

/**
 * Reports whether a client is closed, or has reset its connection, so that the system does not know its address any more.
 * It must not be taken for a client without one, of a Unix domain socket.
 */
function isGone({ destroyed, remoteAddress, localAddress }: Socket): boolean {
  return destroyed || (remoteAddress === undefined && localAddress !== undefined);
}

/** Reports whether a request may become a WebSocket. Node.js checks the `Host` of other requests only. */
function isValidUpgrade({ headers, httpVersion }: IncomingMessage): boolean {
  const { host, "content-length": length = "0", "transfer-encoding": coding } = headers;
  // The engine would wait for a body, but all that follows is held until the 101.
  const hasBody = coding !== undefined || length !== "0";
  return httpVersion === "1.1" && host !== undefined && !hasBody;
}

/** Reports whether there was no connection to our listener. */
function isUnconnected({ syscall }: NodeJS.ErrnoException): boolean {
  return syscall === "connect";
}

function refuse(response: ServerResponse, { status, headers }: OwnAnswer): void {
  if (response.headersSent) response.destroy();
  else response.writeHead(status, [...headers]).end();
}

/** Returns the raw headers of a message, in order, without those of some names. */
function headersOf({ rawHeaders }: IncomingMessage, ...omitted: (readonly string[])[]): string[] {
  const lines: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = [rawHeaders[at], rawHeaders[at + 1]];
    if (!omitted.some((names) => names.includes(name.toLowerCase()))) lines.push(name, value);
  }
  return lines;
}

function headOf(
  {
    statusCode = 502,
    statusMessage,
  }: { readonly statusCode?: number | undefined; readonly statusMessage?: string | undefined },
  lines: readonly string[],
): string {
  let head = `HTTP/1.1 ${statusCode} ${statusMessage ?? STATUS_CODES[statusCode] ?? ""}\r\n`;
  for (let at = 0; at < lines.length; at += 2) head += `${lines[at]}: ${lines[at + 1]}\r\n`;
  return `${head}\r\n`;
}
