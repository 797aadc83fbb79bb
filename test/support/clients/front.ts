/**
 * A proxy in front of a server, or in front of the nodes of a cluster in turn, that only forwards HTTP and not
 * WebSockets, as some proxies do.
 *
 * Runs on: the main thread of the tests.
 */
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { Arrivals } from "./arrivals.ts";

/** What happens to a WebSocket: it is refused, never answered, or opened without forwarding anything. */
export type WebSocketFate = "refused" | "ignored" | "muted";

/** The proxy. */
export class Front {
  readonly #http: Server;
  readonly #webSockets = new WebSocketServer({ noServer: true });
  readonly #targets: number[];
  readonly #fate: WebSocketFate;
  readonly #ignored: Duplex[] = [];
  /** Port for polls of sessions, if not all requests go to all targets in turn. */
  pollsAt: number | undefined;
  /** Requested WebSockets. */
  readonly upgrades = new Arrivals<void>();
  /** Poll requests. */
  readonly polls = new Arrivals<void>();
  /** POST requests, as the lines of each. */
  readonly posts = new Arrivals<readonly string[]>();

  private constructor(targets: readonly number[], fate: WebSocketFate) {
    this.#targets = [...targets];
    this.#fate = fate;
    this.#http = createServer((asked, answer) => this.#carry(asked, answer));
    this.#http.on("upgrade", (asked, socket, head) => this.#upgrade(asked, socket, head));
  }

  /** @param targets - port of the server, or ports of several */
  static async start(
    targets: number | readonly number[],
    fate: WebSocketFate = "refused",
  ): Promise<Front> {
    const front = new Front(typeof targets === "number" ? [targets] : targets, fate);
    front.#http.listen(0, "127.0.0.1");
    await once(front.#http, "listening");
    return front;
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#ignored) socket.destroy();
    for (const socket of this.#webSockets.clients) socket.terminate();
    this.#http.closeAllConnections();
    this.#http.close();
    await once(this.#http, "close");
  }

  #carry(asked: IncomingMessage, answer: ServerResponse): void {
    const { method, url, headers } = asked;
    const isPoll = method === "GET" && url?.includes("token=") === true;
    const port = (isPoll ? this.pollsAt : undefined) ?? this.#nextTarget();
    const onwards = request({
      host: "127.0.0.1",
      port,
      method,
      path: url,
      headers,
      // A new connection for each request, so that requests go to all shards in turn.
      agent: false,
    });
    onwards.on("error", () => answer.destroy());
    onwards.on("response", (answered) => {
      answer.writeHead(answered.statusCode ?? 502, answered.headers);
      answered.pipe(answer);
    });
    answer.on("close", () => onwards.destroy());
    const chunks: Buffer[] = [];
    asked.on("data", (chunk: Buffer) => chunks.push(chunk));
    asked.on("end", () => {
      const body = Buffer.concat(chunks);
      if (method === "POST") this.posts.add(body.toString().split("\n"));
      else this.polls.add();
      onwards.end(body);
    });
  }

  #nextTarget(): number {
    const port = this.#targets.shift() ?? 0;
    this.#targets.push(port);
    return port;
  }

  #upgrade(asked: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.upgrades.add();
    socket.on("error", () => undefined);
    if (this.#fate === "refused") socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    else if (this.#fate === "ignored") this.#ignored.push(socket);
    else this.#webSockets.handleUpgrade(asked, socket, head, () => undefined);
  }
}
